import type { Budget } from "../budget.ts";
import type { Expression } from "../expression.ts";
import type { RuleBook } from "../rule-book.ts";
import type { Alternative } from "./alternatives.ts";
import type { Patterns } from "./patterns.ts";
import type { SchemaNode } from "./schema-node.ts";

/** What objects and arrays ask of the schemas of their parts. */
export interface ValueRules {
  readonly budget: Budget;
  readonly rules: RuleBook;
  readonly patterns: Patterns;
  /** What nothing matches. */
  readonly nothing: SchemaNode;
  /** A schema within another one, by the name that it has there. */
  child(node: SchemaNode, schema: unknown, name: string): SchemaNode;
  matches(node: SchemaNode, value: unknown): boolean;
  /** The ways in which a value may match all of the schemas. */
  alternatives(schemas: readonly SchemaNode[]): readonly Alternative[];
  /** Values that match all of the schemas. Errors: `invalid_argument`, naming the place that cannot be enforced. */
  of(schemas: readonly SchemaNode[]): Expression;
  /** The value as it is. */
  literal(value: unknown): Expression;
  /** The values that match, where they are listed; undefined where others do too. */
  listed(schemas: readonly SchemaNode[]): readonly unknown[] | undefined;
}

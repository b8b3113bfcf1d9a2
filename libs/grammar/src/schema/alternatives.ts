import { constraintFault } from "../constraint-fault.ts";
import { ALTERNATIVES_MAX } from "../limits.ts";
import { Disjointness } from "./disjointness.ts";
import { isJsonObject, type JsonObject } from "./json-object.ts";
import { negated } from "./negation.ts";
import type { Patterns } from "./patterns.ts";
import { listOf, type SchemaNode, type SchemaNodes } from "./schema-node.ts";
import { dependenciesOf, type Validator } from "./validate.ts";

/** Schemas that hold together, of which only those keywords count that speak of a value itself: what they combine is among them. */
export type Alternative = readonly SchemaNode[];

/** What a schema offers to choose from: each choice is a list of schemas that hold besides. */
type Branches = ReadonlyArray<readonly SchemaNode[]>;

/** Takes apart what combines schemas: the ways to match them all, each without `anyOf` and its like. */
export class Alternatives {
  readonly #nodes: SchemaNodes;
  readonly #patterns: Patterns;
  readonly #disjointness: Disjointness;

  constructor(nodes: SchemaNodes, patterns: Patterns, validator: Validator) {
    this.#nodes = nodes;
    this.#patterns = patterns;
    this.#disjointness = new Disjointness(nodes, validator);
  }

  /** Errors: `invalid_argument` where there are too many, or what a schema excludes cannot be said. */
  of(schemas: readonly SchemaNode[]): readonly Alternative[] {
    let open: ReadonlyArray<readonly SchemaNode[]> = [this.#flat(schemas, new Set())];
    const done = new Set<SchemaNode>();
    while (true) {
      const branching = open.flat().find((node) => !done.has(node) && branches(node));
      if (branching === undefined) break;
      done.add(branching);
      open = open.flatMap((held) => (held.includes(branching) ? this.#branched(held, branching) : [held]));
      if (open.length > ALTERNATIVES_MAX)
        throw constraintFault(branching.place, `has more than ${ALTERNATIVES_MAX} ways to match`);
    }
    return open.filter((held) => !held.some(({ schema }) => schema === false));
  }

  /** The schemas with all that they take in by reference and by `allOf`. */
  #flat(schemas: readonly SchemaNode[], found: Set<SchemaNode>): readonly SchemaNode[] {
    for (const node of schemas) {
      if (found.has(node)) continue;
      found.add(node);
      const { schema } = node;
      this.#nodes.budget.spend(1, node.place);
      if (typeof schema === "boolean") continue;
      const taken = listOf(schema.allOf).map((one, i) => this.#child(node, one, `allOf[${i}]`));
      if (typeof schema.$ref === "string") taken.push(this.#nodes.referred(node, schema.$ref));
      this.#flat(taken, found);
    }
    return [...found];
  }

  #branched(held: readonly SchemaNode[], node: SchemaNode): ReadonlyArray<readonly SchemaNode[]> {
    let all: ReadonlyArray<readonly SchemaNode[]> = [held];
    for (const options of this.#optionsOf(node, held)) {
      all = all.flatMap((one) => options.map((option) => this.#flat(option, new Set(one))));
      if (all.length > ALTERNATIVES_MAX)
        throw constraintFault(node.place, `has more than ${ALTERNATIVES_MAX} ways to match`);
    }
    return all;
  }

  /** For each keyword that offers choices, its choices. */
  #optionsOf(node: SchemaNode, held: readonly SchemaNode[]): Branches[] {
    const { schema } = node;
    if (typeof schema === "boolean") return [];
    const all: Branches[] = [];
    if (schema.anyOf !== undefined)
      all.push(listOf(schema.anyOf).map((one, i) => [this.#child(node, one, `anyOf[${i}]`)]));
    if (schema.oneOf !== undefined) all.push(this.#exactlyOne(node, listOf(schema.oneOf), held));
    if (schema.not !== undefined) all.push(this.#refused(this.#child(node, schema.not, "not")).map((one) => [one]));
    if (schema.if !== undefined) all.push(this.#conditional(node, schema));
    for (const [name, needed] of dependenciesOf(schema)) {
      const without = this.#nodes.derived({ properties: { [name]: false } }, node);
      const present = this.#nodes.derived({ required: [name] }, node);
      const dependent = Array.isArray(needed)
        ? this.#nodes.derived({ required: needed }, node)
        : this.#child(node, needed, `dependentSchemas.${name}`);
      all.push([[without], [present, dependent]]);
    }
    return all;
  }

  /** Each branch with what keeps its values from matching the others. */
  #exactlyOne(node: SchemaNode, schemas: readonly unknown[], held: readonly SchemaNode[]): Branches {
    const branchNodes = schemas.map((one, i) => this.#child(node, one, `oneOf[${i}]`));
    return branchNodes.flatMap((branch, i) => {
      const own = this.#flat([branch], new Set(held));
      let combined: Branches = [[branch]];
      for (const [j, other] of branchNodes.entries()) {
        if (j === i || this.#disjointness.excludes(own, other)) continue;
        const options = this.#refused(other);
        combined = combined.flatMap((one) => options.map((option) => [...one, option])).slice(0, ALTERNATIVES_MAX);
      }
      return combined;
    });
  }

  #conditional(node: SchemaNode, schema: JsonObject): Branches {
    const condition = this.#child(node, schema.if, "if");
    const met = [condition, ...(schema.then === undefined ? [] : [this.#child(node, schema.then, "then")])];
    const other = schema.else === undefined ? [] : [this.#child(node, schema.else, "else")];
    return [met, ...this.#refused(condition).map((one) => [one, ...other])];
  }

  #refused(node: SchemaNode): readonly SchemaNode[] {
    const options = negated(node, this.#nodes, this.#patterns);
    if (options.length > 0 || node.schema === true) return options;
    if (isJsonObject(node.schema) && Object.keys(node.schema).length === 0) return options;
    throw constraintFault(node.place, "cannot be enforced where values must not match it");
  }

  #child(node: SchemaNode, schema: unknown, name: string): SchemaNode {
    return this.#nodes.node(schema, `${node.place}.${name}`, node.root);
  }
}

function branches({ schema }: SchemaNode): boolean {
  if (typeof schema === "boolean") return false;
  return (
    schema.anyOf !== undefined ||
    schema.oneOf !== undefined ||
    schema.not !== undefined ||
    schema.if !== undefined ||
    dependenciesOf(schema).length > 0
  );
}

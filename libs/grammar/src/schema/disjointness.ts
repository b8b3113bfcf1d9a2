import { type Kind, kindsOf, typedKinds } from "./kinds.ts";
import { listOf, mapOf, type SchemaNode, type SchemaNodes } from "./schema-node.ts";
import type { Validator } from "./validate.ts";

const DEPTH_MAX = 4;

/** Says of which schemas no value that is written matches another one. It may miss some. */
export class Disjointness {
  readonly #nodes: SchemaNodes;
  readonly #validator: Validator;

  constructor(nodes: SchemaNodes, validator: Validator) {
    this.#nodes = nodes;
    this.#validator = validator;
  }

  /** Whether nothing that is written of these schemas, which hold together, matches the other. */
  excludes(held: readonly SchemaNode[], other: SchemaNode, depth = 0): boolean {
    const { schema } = other;
    if (typeof schema === "boolean") return !schema;
    if (depth > DEPTH_MAX) return false;
    const inner = (one: unknown) => this.excludes(held, this.#nodes.node(one, other.place, other.root), depth + 1);
    if (typeof schema.$ref === "string" && this.excludes(held, this.#nodes.referred(other, schema.$ref), depth + 1))
      return true;
    if (listOf(schema.allOf).some(inner)) return true;
    for (const some of [schema.anyOf, schema.oneOf]) if (some !== undefined && listOf(some).every(inner)) return true;
    const values = valuesOf(held);
    if (values !== undefined) return !values.some((value) => this.#validator.matches(other, value));
    const kinds = kindsOf(held);
    const others = typedKinds(other);
    if (others !== undefined && ![...kinds].some((kind) => others.has(kind))) return true;
    const own = valuesOf([other]);
    if (own !== undefined && !own.some((value) => held.every((node) => this.#takesLeaf(node, value)))) return true;
    return isOnly(kinds, "object") && this.#excludesObjects(held, other, depth);
  }

  #excludesObjects(held: readonly SchemaNode[], other: SchemaNode, depth: number): boolean {
    const { schema } = other;
    if (typeof schema === "boolean") return false;
    const written = new Set<string>();
    const required = new Set<string>();
    const schemasOf = new Map<string, SchemaNode[]>();
    const refused = new Set<string>();
    let isOpen = false;
    for (const node of held) {
      if (typeof node.schema === "boolean") continue;
      const { additionalProperties = false, patternProperties } = node.schema;
      isOpen ||= additionalProperties !== false || patternProperties !== undefined;
      for (const name of listOf(node.schema.required)) required.add(String(name));
      for (const [name, one] of mapOf(node.schema.properties)) {
        written.add(name);
        if (one === false) refused.add(name);
        const child = this.#nodes.node(one, `${node.place}.properties.${name}`, node.root);
        schemasOf.set(name, [...(schemasOf.get(name) ?? []), child]);
      }
    }
    const isWritten = (name: string) =>
      !refused.has(name) && (written.has(name) || required.has(name) || isOpen || written.size === 0);
    if (listOf(schema.required).some((name) => !isWritten(String(name)))) return true;
    const properties = new Map(mapOf(schema.properties));
    for (const name of required) {
      const theirs = properties.get(name);
      const ours = schemasOf.get(name);
      if (theirs === undefined) {
        if (schema.additionalProperties === false && schema.patternProperties === undefined) return true;
        continue;
      }
      const node = this.#nodes.node(theirs, `${other.place}.properties.${name}`, other.root);
      if (this.excludes(ours ?? [], node, depth + 1)) return true;
    }
    return false;
  }

  /** Whether a value may be one of the node's, looking at what it says without references. */
  #takesLeaf(node: SchemaNode, value: unknown): boolean {
    return this.#validator.matches(node, value);
  }
}

/** The values that schemas name one by one; undefined where none does. */
function valuesOf(held: readonly SchemaNode[]): readonly unknown[] | undefined {
  for (const { schema } of held) {
    if (typeof schema === "boolean") continue;
    if ("const" in schema) return [schema.const];
    if (Array.isArray(schema.enum)) return schema.enum;
  }
  return undefined;
}

const isOnly = (kinds: ReadonlySet<Kind>, kind: Kind): boolean => kinds.size === 1 && kinds.has(kind);

import { isPartial } from "../regex/regex.ts";
import { isJsonObject, type JsonObject } from "./json-object.ts";
import { NOT_PATTERN, NOT_VALUES } from "./keywords.ts";
import { KINDS, type Kind, typedKinds } from "./kinds.ts";
import type { Patterns } from "./patterns.ts";
import { listOf, mapOf, type SchemaNode, type SchemaNodes } from "./schema-node.ts";

const TYPES: Readonly<Record<Exclude<Kind, "integer" | "fraction">, string>> = {
  null: "null",
  boolean: "boolean",
  object: "object",
  array: "array",
  string: "string",
};
const DEPTH_MAX = 8;

/**
 * Schemas each of whose values the node does not match: for every keyword of it that can be turned round, one. None where none can. All of
 * them together may take less than the node refuses, and never more.
 */
export function negated(node: SchemaNode, nodes: SchemaNodes, patterns: Patterns, depth = 0): readonly SchemaNode[] {
  const { schema } = node;
  if (typeof schema === "boolean") return schema ? [] : [nodes.derived(true, node)];
  if (depth > DEPTH_MAX) return [];
  const made = (one: JsonObject) => nodes.derived(one, node);
  const inner = (one: unknown) => negated(nodes.node(one, node.place, node.root), nodes, patterns, depth + 1);
  const options: SchemaNode[] = [...otherTypes(node).map(made), ...otherValues(schema).map(made)];
  if (typeof schema.$ref === "string")
    options.push(...negated(nodes.referred(node, schema.$ref), nodes, patterns, depth + 1));
  for (const one of listOf(schema.allOf)) options.push(...inner(one));
  if (schema.anyOf !== undefined) options.push(...noneOf(listOf(schema.anyOf), node, nodes, patterns, depth));
  if (schema.not !== undefined) options.push(nodes.node(schema.not, node.place, node.root));
  options.push(...otherObjects(schema).map(made), ...otherArrays(schema).map(made), ...otherNumbers(schema).map(made));
  const { minLength, maxLength, pattern } = schema;
  if (typeof minLength === "number" && minLength > 0) options.push(made({ type: "string", maxLength: minLength - 1 }));
  if (typeof maxLength === "number") options.push(made({ type: "string", minLength: maxLength + 1 }));
  if (typeof pattern === "string" && !isPartial(patterns.regex(pattern, node.place)))
    options.push(made({ type: "string", [NOT_PATTERN]: pattern }));
  return options;
}

/** What none of the schemas matches, as all of their negations at once. */
function noneOf(
  schemas: readonly unknown[],
  node: SchemaNode,
  nodes: SchemaNodes,
  patterns: Patterns,
  depth: number,
): SchemaNode[] {
  const each = schemas.map((one) => negated(nodes.node(one, node.place, node.root), nodes, patterns, depth + 1));
  if (each.some((options) => options.length === 0)) return [];
  return [nodes.derived({ allOf: each.map((options) => ({ anyOf: options.map(({ schema }) => schema) })) }, node)];
}

function otherTypes(node: SchemaNode): JsonObject[] {
  const kinds = typedKinds(node);
  if (kinds === undefined) return [];
  const others = KINDS.flatMap((kind) => {
    if (kind === "fraction") return [];
    if (kind === "integer") return kinds.has("integer") ? [] : ["number"];
    return kinds.has(kind) ? [] : [TYPES[kind]];
  });
  return others.length === 0 ? [] : [{ type: others }];
}

function otherValues(schema: JsonObject): JsonObject[] {
  const values = "const" in schema ? [schema.const] : Array.isArray(schema.enum) ? schema.enum : undefined;
  return values === undefined ? [] : [{ [NOT_VALUES]: values }];
}

function otherObjects({ required, properties, minProperties, maxProperties }: JsonObject): JsonObject[] {
  const lacking = listOf(required).map((name) => ({ type: "object", properties: { [String(name)]: false } }));
  const wrong = mapOf(properties)
    .filter(([, schema]) => isJsonObject(schema) || schema === false)
    .map(([name, schema]) => ({ type: "object", required: [name], properties: { [name]: { not: schema } } }));
  const counts: JsonObject[] = [];
  if (typeof minProperties === "number" && minProperties > 0)
    counts.push({ type: "object", maxProperties: minProperties - 1 });
  if (typeof maxProperties === "number") counts.push({ type: "object", minProperties: maxProperties + 1 });
  return [...lacking, ...wrong, ...counts];
}

function otherArrays({ minItems, maxItems }: JsonObject): JsonObject[] {
  const counts: JsonObject[] = [];
  if (typeof minItems === "number" && minItems > 0) counts.push({ type: "array", maxItems: minItems - 1 });
  if (typeof maxItems === "number") counts.push({ type: "array", minItems: maxItems + 1 });
  return counts;
}

function otherNumbers({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonObject): JsonObject[] {
  const type = "number";
  const others: JsonObject[] = [];
  // Where an older draft's flag makes the bound exclusive, what is beyond it is refused all the same.
  if (typeof minimum === "number") others.push({ type, exclusiveMaximum: minimum });
  if (typeof maximum === "number") others.push({ type, exclusiveMinimum: maximum });
  if (typeof exclusiveMinimum === "number") others.push({ type, maximum: exclusiveMinimum });
  if (typeof exclusiveMaximum === "number") others.push({ type, minimum: exclusiveMaximum });
  return others;
}

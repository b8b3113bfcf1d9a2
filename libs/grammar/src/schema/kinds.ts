import { constraintFault } from "../constraint-fault.ts";
import { isJsonObject } from "./json-object.ts";
import type { SchemaNode } from "./schema-node.ts";

/** Kinds of JSON values. `integer` are numbers without a fraction, and `fraction` the others. */
export const KINDS = ["null", "boolean", "object", "array", "string", "integer", "fraction"] as const;
export type Kind = (typeof KINDS)[number];

const BY_TYPE: ReadonlyMap<unknown, readonly Kind[]> = new Map<unknown, readonly Kind[]>([
  ["null", ["null"]],
  ["boolean", ["boolean"]],
  ["object", ["object"]],
  ["array", ["array"]],
  ["string", ["string"]],
  ["integer", ["integer"]],
  ["number", ["integer", "fraction"]],
]);

/** What a keyword speaks of. Where no type is said, values are of what the keywords speak of. */
const KEYWORDS_OF: ReadonlyArray<readonly [kinds: readonly Kind[], keywords: readonly string[]]> = [
  [
    ["object"],
    [
      "properties",
      "patternProperties",
      "additionalProperties",
      "unevaluatedProperties",
      "propertyNames",
      "required",
      "minProperties",
      "maxProperties",
      "dependentRequired",
      "dependentSchemas",
      "dependencies",
    ],
  ],
  [
    ["array"],
    ["items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minItems", "maxItems", "uniqueItems"],
  ],
  [["string"], ["minLength", "maxLength", "pattern", "format"]],
  [
    ["integer", "fraction"],
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  ],
];

/** Kinds that a node's `type` allows; undefined where it says none. Errors: `invalid_argument` for what is no type. */
export function typedKinds({ schema, place }: SchemaNode): ReadonlySet<Kind> | undefined {
  if (typeof schema === "boolean" || schema.type === undefined) return undefined;
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  const kinds = types.map((type) => BY_TYPE.get(type));
  if (types.length === 0 || kinds.includes(undefined))
    throw constraintFault(`${place}.type`, "is no type of JSON Schema");
  // OpenAPI 3.0's way to say that null is one of the types.
  return new Set([...kinds.flatMap((some) => some ?? []), ...(schema.nullable === true ? (["null"] as const) : [])]);
}

/** Kinds that nodes allow together. */
export function kindsOf(nodes: readonly SchemaNode[]): ReadonlySet<Kind> {
  let allowed: ReadonlySet<Kind> = new Set(KINDS);
  let typed = false;
  for (const node of nodes) {
    const own = typedKinds(node);
    if (own === undefined) continue;
    typed = true;
    allowed = new Set([...allowed].filter((kind) => own.has(kind)));
  }
  if (typed) return allowed;
  const spoken = KEYWORDS_OF.flatMap(([kinds, keywords]) =>
    nodes.some(({ schema }) => isJsonObject(schema) && keywords.some((name) => schema[name] !== undefined))
      ? kinds
      : [],
  );
  return spoken.length === 0 ? allowed : new Set(spoken);
}

/** The kind of a value. */
export function kindOf(value: unknown): Kind {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "string") return "string";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "fraction";
  return "object";
}

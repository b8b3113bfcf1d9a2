import type { Chance } from "./chance.ts";

type Json = unknown;

const DEEP = 2000;
const TOKENS_MAX = /^max_(completion_|output_)?tokens$/;

/** JSON that programs trip over, as text: not all of it can be a value here. */
const ODD: readonly string[] = [
  ...["null", "true", "false", "0", "-1", "-0", "1.5", "1e308", "1e400", "-1e-400", "NaN", "Infinity"],
  ...["9007199254740993", "18446744073709551616", "1e21", "[]", "{}", "[[]]", '""', '" "', '"\\u0000"'],
  ...['"\\ud800"', '"\\udfff\\ud800"', '"\u202e"', '"__proto__"', '{"__proto__":{"x":1}}', '{"constructor":{}}'],
  ...[
    '{"":""}',
    '{"a":1,"a":2}',
    "[null]",
    "[1,[2,[3]]]",
    '"data:image/png;base64,AAAA"',
    '"<|eot|>"',
    '"true"',
    '"1"',
  ],
  ...['{"toString":1}', '{"then":1}', '{"length":-1}', '{"$ref":"#"}', '{"type":["string",null]}'],
  "[".repeat(DEEP) + "]".repeat(DEEP),
  `${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}`,
  `"${"x".repeat(40_000)}"`,
  `[${"0,".repeat(5000)}0]`,
];

/** A text of JSON, of which some may be none. */
export const oddValue = (chance: Chance): string => chance.of(ODD);

type Schema = Readonly<{
  $ref?: string;
  type?: string | readonly string[];
  enum?: readonly Json[];
  const?: Json;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  items?: Schema;
  anyOf?: readonly Schema[];
  oneOf?: readonly Schema[];
  allOf?: readonly Schema[];
}>;

/** What an OpenAPI document says of bodies. */
export type Schemas = Readonly<Record<string, Schema>>;

const WORDS = [
  "nano",
  "hi",
  "user",
  "assistant",
  "tool",
  "system",
  "text",
  "function",
  "auto",
  "json_object",
  "a",
  ".",
];

/** A value, as text, that more or less follows a schema: in `odd` of its places stands something else. */
export function schemaValue(schema: Schema, schemas: Schemas, chance: Chance, odd: number, depth = 0): string {
  if (depth > 6 || chance.is(odd)) return oddValue(chance);
  const next = (one: Schema) => schemaValue(one, schemas, chance, odd, depth + 1);
  if (schema.$ref !== undefined) return next(schemas[schema.$ref.split("/").at(-1) ?? ""] ?? {});
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices !== undefined && choices.length > 0) return next(chance.of(choices));
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined && schema.enum.length > 0) return JSON.stringify(chance.of(schema.enum));
  const type = typeof schema.type === "string" ? schema.type : chance.of(schema.type ?? ["string", "object", "array"]);
  if (type === "object") return objectOf(schema, chance, next);
  if (type === "array") return `[${Array.from({ length: chance.below(3) }, () => next(schema.items ?? {})).join(",")}]`;
  if (type === "integer" || type === "number") return String(chance.of([0, 1, 2, 7, 0.5, -1, 1e6]));
  if (type === "boolean") return String(chance.is(0.5));
  if (type === "null") return "null";
  return JSON.stringify(chance.of(WORDS));
}

function objectOf({ properties = {}, required = [] }: Schema, chance: Chance, next: (one: Schema) => string): string {
  const names = Object.keys(properties).filter(
    (name) => required.includes(name) || TOKENS_MAX.test(name) || chance.is(0.2),
  );
  const fields = names.map((name) => `${JSON.stringify(name)}:${fieldOf(name, properties[name] ?? {}, next)}`);
  if (chance.is(0.1)) fields.push(`${JSON.stringify(chance.of(["__proto__", "x", "", "model"]))}:${oddValue(chance)}`);
  return `{${fields.join(",")}}`;
}

/** The model that there is, and answers of few tokens: it is the reading that is tried. */
function fieldOf(name: string, schema: Schema, next: (one: Schema) => string): string {
  const value = next(schema);
  if (name === "model" && /^"/.test(value)) return '"nano"';
  return TOKENS_MAX.test(name) && /^(\d{1,7}|null)$/.test(value) ? "1" : value;
}

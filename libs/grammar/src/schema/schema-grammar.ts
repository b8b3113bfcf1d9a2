import { DroverError } from "@drover/core";
import { choice, type Expression, maybe, NOTHING, repeat, sequence, text } from "../expression.ts";
import {
  ANY_VALUE,
  COLON,
  COMMA,
  INTEGER,
  jsonLiteral,
  jsonRules,
  jsonString,
  NUMBER,
  stringOfLength,
} from "../json/json-text.ts";
import { writeGrammar } from "../write-grammar.ts";

const ANNOTATIONS = ["title", "description", "default", "examples", "$schema", "$comment"];

/** The grammar of a JSON Schema's values. Errors: `invalid_argument`, naming the place in the schema, for what cannot be enforced. */
export function schemaGrammar(schema: unknown, field: string): string {
  const written = writeGrammar(schemaValue(schema, field), jsonRules);
  if (written === undefined) throw new DroverError("invalid_argument", "no value can match", { field });
  return written;
}

function schemaValue(schema: unknown, field: string): Expression {
  if (schema === true) return ANY_VALUE;
  if (typeof schema !== "object" || schema === null)
    throw new DroverError("invalid_argument", "is no schema", { field });
  const {
    type,
    properties,
    required,
    items,
    enum: values,
    additionalProperties,
    ...others
  } = schema as Record<string, unknown>;
  for (const name of Object.keys(others))
    if (!ANNOTATIONS.includes(name))
      throw new DroverError("invalid_argument", "is not supported", { field: `${field}.${name}` });
  if (Array.isArray(values)) return choice(...values.map(jsonLiteral));
  if (additionalProperties !== undefined && additionalProperties !== false)
    throw new DroverError("invalid_argument", "is not supported", { field: `${field}.additionalProperties` });
  if (type === "string") return stringOfLength(0, Number.POSITIVE_INFINITY);
  if (type === "integer") return INTEGER;
  if (type === "number") return NUMBER;
  if (type === "boolean") return choice(text("true"), text("false"));
  if (type === "null") return text("null");
  if (type === "array") {
    const item = items === undefined ? ANY_VALUE : schemaValue(items, `${field}.items`);
    const some = sequence(item, repeat(sequence(COMMA, item), 0, Number.POSITIVE_INFINITY));
    return sequence(text("["), maybe(some), text("]"));
  }
  if (type !== "object") throw new DroverError("invalid_argument", "is not supported", { field: `${field}.type` });
  const members = Object.entries((properties ?? {}) as Record<string, unknown>).filter(
    ([name]) => !Array.isArray(required) || required.includes(name),
  );
  if (Array.isArray(required) && members.length < required.length) return NOTHING;
  const parts = members.map(([name, value], i) =>
    sequence(
      ...(i === 0 ? [] : [COMMA]),
      text(jsonString(name)),
      COLON,
      schemaValue(value, `${field}.properties.${name}`),
    ),
  );
  return sequence(text("{"), ...parts, text("}"));
}

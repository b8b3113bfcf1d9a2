import { choiceGrammar, notationGrammar, regexGrammar, schemaGrammar } from "@drover/grammar";
import { type Static, Type } from "typebox";
import type { Constraint } from "../request/generation-query.ts";
import { fieldError } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { SAYS, SENTENCES } from "../schema/sentences.ts";

const TextFormat = Type.Object({ type: Type.Literal("text") });
const JsonObjectFormat = Type.Object({
  type: Type.Literal("json_object"),
  schema: optional(
    Type.Unknown({ description: "The JSON Schema that the object matches, as llama.cpp's clients say it." }),
  ),
  value: optional(Type.Unknown({ description: "The same, as TGI's clients say it." })),
});
const JsonSchemaFormat = Type.Object({
  type: Type.Literal("json_schema"),
  json_schema: Type.Object({
    name: optional(Type.String()),
    description: optional(Type.String()),
    schema: optional(Type.Unknown({ description: "The JSON Schema that the answer matches." })),
    strict: optional(Type.Boolean({ description: "Taken and without effect: every schema is enforced." })),
  }),
});

const SCHEMA = Type.Unknown({ description: "A JSON Schema that the answer matches: an object, or its JSON as text." });
const REGEX = Type.String({ description: "A regular expression that the whole answer matches." });
const CHOICES = Type.Array(Type.String(), { description: "The answer is one of these texts." });
const NOTATION = Type.String({ description: "A grammar in GBNF (EBNF) that the answer matches." });

/** What an answer must match: at most one of them. */
export const constraintFields = {
  response_format: optional(
    Type.Union([TextFormat, JsonObjectFormat, JsonSchemaFormat], {
      discriminator: { propertyName: "type" },
      description: "The answer is free, any JSON object, or matches a JSON Schema.",
      [SAYS]: "is not supported: a format must be text, json_object or json_schema",
    }),
  ),
  structured_outputs: optional(
    Type.Object(
      {
        json: optional(SCHEMA),
        json_object: optional(Type.Boolean({ description: "The answer is any JSON object." })),
        regex: optional(REGEX),
        choice: optional(CHOICES),
        grammar: optional(NOTATION),
      },
      { description: "vLLM's way to say what the answer must match." },
    ),
  ),
  guided_json: optional(SCHEMA),
  guided_regex: optional(REGEX),
  guided_choice: optional(CHOICES),
  guided_grammar: optional(NOTATION),
  json_schema: optional(SCHEMA),
  grammar: optional(NOTATION),
  regex: optional(REGEX),
  ebnf: optional(NOTATION),
};

const ConstraintBody = Type.Object(constraintFields);
type ConstraintBody = Static<typeof ConstraintBody>;

/** How a value that a field has becomes a grammar. */
type Reader = (value: unknown, field: string) => string | undefined;

const ofText =
  (read: (text: string, field: string) => string): Reader =>
  (value, field) =>
    value === "" ? undefined : read(String(value), field);
const ofChoices: Reader = (value, field) => choiceGrammar(Array.isArray(value) ? value.map(String) : [], field);

const OPTIONS: Readonly<Record<string, Reader>> = {
  json: readSchema,
  json_object: (value, field) => (value === true ? schemaGrammar({ type: "object" }, field) : undefined),
  regex: ofText(regexGrammar),
  choice: ofChoices,
  grammar: ofText(notationGrammar),
};

const FIELDS: Readonly<Record<Exclude<keyof ConstraintBody, "response_format" | "structured_outputs">, Reader>> = {
  guided_json: readSchema,
  guided_regex: ofText(regexGrammar),
  guided_choice: ofChoices,
  guided_grammar: ofText(notationGrammar),
  json_schema: readSchema,
  grammar: ofText(notationGrammar),
  regex: ofText(regexGrammar),
  ebnf: ofText(notationGrammar),
};

const FIELD_NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];

/**
 * What a body asks the answer to match; undefined where it is free. Errors: `invalid_argument`, naming the place that cannot be enforced, or the
 * second of two constraints.
 */
export function readConstraint(body: ConstraintBody): Constraint | undefined {
  const [first, second] = [...askedIn(body)];
  if (first !== undefined && second !== undefined)
    throw fieldError(second.field, `cannot be combined with ${first.field}`);
  return first;
}

/** An answer that is any JSON object, asked for by `field`. */
export const jsonObjectConstraint = (field: string): Constraint =>
  asked(schemaGrammar({ type: "object" }, field), field);

/** An answer that matches the schema of this field. Errors: `invalid_argument`, naming the place that cannot be enforced. */
export const schemaConstraint = (schema: unknown, field: string): Constraint =>
  asked(schemaGrammar(schema, field), field);

function* askedIn(body: ConstraintBody): Iterable<Constraint> {
  const { response_format: format, structured_outputs: options } = body;
  if (format?.type === "json_object") yield* objectsAsked(format);
  if (format?.type === "json_schema") yield schemaAsked(format.json_schema);
  for (const [name, value] of Object.entries(options ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    const field = `structured_outputs.${name}`;
    const read = OPTIONS[name];
    if (read === undefined) throw fieldError(field, "is not supported");
    const grammar = read(value, field);
    if (grammar !== undefined) yield asked(grammar, field);
  }
  for (const name of FIELD_NAMES) {
    const value = body[name];
    if (value === null || value === undefined) continue;
    const grammar = FIELDS[name](value, name);
    if (grammar !== undefined) yield asked(grammar, name);
  }
}

/** Any JSON object, or those that a schema of another server's spelling describes. */
function* objectsAsked(format: Static<typeof JsonObjectFormat>): Iterable<Constraint> {
  const named = (["schema", "value"] as const).filter((name) => format[name] !== undefined && format[name] !== null);
  if (named.length === 0) yield jsonObjectConstraint("response_format");
  for (const name of named) {
    const field = `response_format.${name}`;
    yield asked(readSchema(format[name], field), field);
  }
}

/** What a schema may be called beside it. */
const SCHEMA_NAMES = ["name", "description", "strict", "schema"];

/** Errors: `invalid_argument` where the schema itself stands in the place of what holds it: to leave it out would be to drop it. */
function schemaAsked(given: Static<typeof JsonSchemaFormat>["json_schema"]): Constraint {
  const field = "response_format.json_schema.schema";
  const isMissing = given.schema === undefined || given.schema === null;
  if (isMissing && Object.keys(given).some((name) => !SCHEMA_NAMES.includes(name)))
    throw fieldError(field, SENTENCES.required);
  return schemaConstraint(given.schema ?? {}, field);
}

const asked = (grammar: string, field: string): Constraint => ({ grammar, field });

/** A schema, or its JSON as text. */
function readSchema(value: unknown, field: string): string {
  if (typeof value !== "string") return schemaGrammar(value, field);
  let schema: unknown;
  try {
    schema = JSON.parse(value);
  } catch (cause) {
    throw fieldError(field, "must be a JSON Schema", cause);
  }
  return schemaGrammar(schema, field);
}

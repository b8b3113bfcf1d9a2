import type { TSchema } from "typebox";

/** What a value must be, where a schema's own keywords would say it less well. Not part of the schema's JSON. */
export const SAYS = Symbol("says");
/** What is said of an object that lacks a required field: then the object is at fault and not the field. */
export const LACKS = Symbol("lacks");
/** A list whose entries have no names of their own: whatever is wrong with one is said of the list. */
export const UNNAMED = Symbol("unnamed");
/** A list whose entries are checked by who knows more than the schema, as a model's vocabulary. */
export const UNCHECKED = Symbol("unchecked");

/** The keywords of JSON Schema that this library's schemas are made of; the checks know these and no others. */
export type JsonSchema = Readonly<{
  type?: "string" | "number" | "integer" | "boolean" | "array" | "object" | "null";
  description?: string;
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly JsonSchema[];
  /** Which of `anyOf`'s objects a value must be, by a field of its own. Source: OpenAPI 3.1's discriminator. */
  discriminator?: Readonly<{ propertyName: string }>;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  items?: JsonSchema;
  properties?: Readonly<Record<string, JsonSchema>>;
  required?: readonly string[];
  patternProperties?: Readonly<Record<string, JsonSchema>>;
  [SAYS]?: string;
  [LACKS]?: string;
  [UNNAMED]?: boolean;
  [UNCHECKED]?: boolean;
}>;

/** A TypeBox schema as the JSON that it is. */
export const jsonSchema = (schema: TSchema): JsonSchema => schema as JsonSchema;

/** What the bounds of a schema say of a value beyond them. */
export const SENTENCES = {
  minimum: (bound: number) => `must be at least ${bound}`,
  exclusiveMinimum: (bound: number) => `must be greater than ${bound}`,
  maximum: (bound: number) => `must be at most ${bound}`,
  maxLength: (bound: number) => `may have at most ${bound} characters each`,
  maxItems: (bound: number) => `may have at most ${bound} entries`,
  required: "is required",
  empty: "must not be empty",
  unicode: "must be valid Unicode text",
} as const;

/** What each type says of a value of another one. */
export const TYPE_SENTENCES = {
  string: "must be a string",
  number: "must be a finite number",
  integer: "must be an integer",
  boolean: "must be true or false",
  array: "must be a list",
  object: "must be a JSON object",
  null: "is not supported",
} as const;

import { constraintFault } from "../constraint-fault.ts";
import { isJsonObject, type JsonObject } from "./json-object.ts";

/** The keyword of derived schemas for values that are refused. */
export const NOT_VALUES = "not the values";
/** The keyword of derived schemas for a pattern that is refused. */
export const NOT_PATTERN = "not the pattern";

/** What a keyword's value must be. */
type Shape = "schema" | "schemas" | "schemaMap" | "count" | "number" | "string" | "strings" | "boolean" | "any";

/** Keywords that say what a value must be, and are enforced. */
const ENFORCED: ReadonlyMap<string, Shape> = new Map([
  ["type", "any"],
  ["nullable", "boolean"],
  ["enum", "any"],
  ["const", "any"],
  ["$ref", "string"],
  ["allOf", "schemas"],
  ["anyOf", "schemas"],
  ["oneOf", "schemas"],
  ["not", "schema"],
  ["if", "schema"],
  ["then", "schema"],
  ["else", "schema"],
  ["properties", "schemaMap"],
  ["patternProperties", "schemaMap"],
  ["additionalProperties", "schema"],
  ["unevaluatedProperties", "schema"],
  ["propertyNames", "schema"],
  ["required", "strings"],
  ["minProperties", "count"],
  ["maxProperties", "count"],
  ["dependentRequired", "any"],
  ["dependentSchemas", "schemaMap"],
  ["dependencies", "any"],
  ["items", "any"],
  ["prefixItems", "schemas"],
  ["additionalItems", "schema"],
  ["unevaluatedItems", "schema"],
  ["contains", "schema"],
  ["minContains", "count"],
  ["maxContains", "count"],
  ["minItems", "count"],
  ["maxItems", "count"],
  ["uniqueItems", "boolean"],
  ["minLength", "count"],
  ["maxLength", "count"],
  ["pattern", "string"],
  ["format", "string"],
  ["minimum", "number"],
  ["maximum", "number"],
  ["exclusiveMinimum", "any"],
  ["exclusiveMaximum", "any"],
  ["multipleOf", "number"],
  [NOT_VALUES, "any"],
  [NOT_PATTERN, "string"],
]);

/** Keywords that say nothing of which values match. Their values are not looked at. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  "$schema",
  "$id",
  "id",
  "$anchor",
  "$comment",
  "$defs",
  "$vocabulary",
  "definitions",
  "title",
  "description",
  "markdownDescription",
  "default",
  "defaultSnippets",
  "enumDescriptions",
  "enumNames",
  "errorMessage",
  "example",
  "examples",
  "deprecated",
  "deprecationMessage",
  "readOnly",
  "writeOnly",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
  "discriminator",
  "externalDocs",
  "xml",
]);

const isSchema = (value: unknown) => typeof value === "boolean" || isJsonObject(value);
const isStrings = (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === "string");

const SHAPES: Readonly<Record<Shape, readonly [is: (value: unknown) => boolean, sentence: string]>> = {
  schema: [isSchema, "must be a schema"],
  schemas: [(value) => Array.isArray(value) && value.length > 0 && value.every(isSchema), "must be a list of schemas"],
  schemaMap: [(value) => isJsonObject(value) && Object.values(value).every(isSchema), "must hold schemas"],
  count: [(value) => Number.isSafeInteger(value) && Number(value) >= 0, "must be a count"],
  number: [(value) => typeof value === "number" && Number.isFinite(value), "must be a number"],
  string: [(value) => typeof value === "string", "must be a string"],
  strings: [isStrings, "must be a list of strings"],
  boolean: [(value) => typeof value === "boolean", "must be true or false"],
  any: [() => true, ""],
};

/** Errors: `invalid_argument`, naming the place, for a keyword that is not known, so that none is passed over, and for one with a wrong value. */
export function checkKeywords(schema: JsonObject, place: string): void {
  for (const [name, value] of Object.entries(schema)) {
    if (ANNOTATIONS.has(name) || name.startsWith("x-")) continue;
    const shape = ENFORCED.get(name);
    if (shape === undefined) throw constraintFault(`${place}.${name}`, "is a keyword that cannot be enforced");
    const [is, sentence] = SHAPES[shape];
    if (!is(value)) throw constraintFault(`${place}.${name}`, sentence);
  }
}

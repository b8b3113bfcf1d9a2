import { assert } from "@drover/core";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { chance } from "../testing/chance.ts";
import { ENFORCED_DRAFT_7_SCHEMAS } from "../testing/enforced-draft-7-schemas.ts";
import { ENFORCED_SCHEMAS } from "../testing/enforced-schemas.ts";
import { sampleText } from "../testing/sample-text.ts";
import { schemaGrammar } from "./schema-grammar.ts";

const SAMPLES = 100;

function validatorOf(schema: unknown, draft: typeof Ajv | typeof Ajv2020) {
  const ajv = new draft({ strict: false, logger: false, validateSchema: false });
  addFormats.default(ajv);
  const plain: unknown = JSON.parse(JSON.stringify(schema));
  assert(
    typeof plain === "boolean" || (typeof plain === "object" && plain !== null),
    "a schema is an object or a boolean",
  );
  return ajv.compile(plain);
}

function expectMatches(schema: unknown, draft: typeof Ajv | typeof Ajv2020): void {
  const grammar = schemaGrammar(schema, "schema");
  const validate = validatorOf(schema, draft);
  const random = chance(4711);
  for (let i = 0; i < SAMPLES; i++) {
    const text = sampleText(grammar, random, 200);
    const value: unknown = JSON.parse(text);
    expect(validate(value), `${text}: ${JSON.stringify(validate.errors)}`).toBe(true);
  }
}

describe("what a schema's grammar writes", () => {
  it.each(Object.entries(ENFORCED_SCHEMAS))("matches the schema: %s", (name, schema) => {
    // Ajv knows the flag of draft 4 no more; the number says the same.
    if (name === "older exclusive bounds") expectMatchesOlder(schema);
    else expectMatches(schema, Ajv2020);
  });

  it.each(Object.entries(ENFORCED_DRAFT_7_SCHEMAS))("matches a schema of an older draft: %s", (_, schema) => {
    expectMatches(schema, Ajv);
  });
});

function expectMatchesOlder(schema: unknown): void {
  const random = chance(1);
  const grammar = schemaGrammar(schema, "schema");
  for (let i = 0; i < SAMPLES; i++) expect([4, 5, 6, 7, 8, 9]).toContain(JSON.parse(sampleText(grammar, random, 20)));
}

/** A schema, and the place and the sentence of its refusal. */
const REFUSED: readonly [schema: unknown, place: string, sentence: string][] = [
  [
    { type: "object", properties: { a: { minlength: 3 } } },
    "s.properties.a.minlength",
    "is a keyword that cannot be enforced",
  ],
  [{ $dynamicRef: "#x" }, "s.$dynamicRef", "is a keyword that cannot be enforced"],
  [{ type: "text" }, "s.type", "is no type of JSON Schema"],
  [{ type: [] }, "s.type", "is no type of JSON Schema"],
  [{ minLength: -1 }, "s.minLength", "must be a count"],
  [{ properties: [] }, "s.properties", "must hold schemas"],
  [{ anyOf: [] }, "s.anyOf", "must be a list of schemas"],
  [{ required: [1] }, "s.required", "must be a list of strings"],
  [{ items: { type: "string", pattern: "(" } }, "s.items.pattern", "is a pattern that has a group without an end"],
  [{ pattern: "(?<!a)b" }, "s.pattern", "is a pattern that looks back, which cannot be enforced"],
  [{ pattern: "a(?!^b)" }, "s.pattern", "is a pattern with an anchor in the middle"],
  [{ pattern: "^(?!\\p{L})" }, "s.pattern", "cannot be enforced where characters by property must not follow"],
  [{ pattern: "^(?=a)(?!a)" }, "s", "is a schema that no value matches"],
  [{ pattern: "(a)\\1" }, "s.pattern", "is a pattern that has \\1, which cannot be enforced"],
  [{ pattern: "a^b" }, "s.pattern", "is a pattern with an anchor in the middle"],
  [{ format: "color" }, "s.format", "is a format that cannot be enforced"],
  [
    { type: "integer", minimum: 1e16, multipleOf: 7 },
    "s.multipleOf",
    "cannot be enforced beside bounds of more than 15 digits",
  ],
  [{ type: "number", multipleOf: 0.01 }, "s.multipleOf", "cannot be enforced but for whole numbers up to 1000"],
  [
    { type: "array", items: { type: "string" }, uniqueItems: true },
    "s.uniqueItems",
    "cannot be enforced but for items that are listed by enum",
  ],
  [{ type: "array", contains: { const: 1 }, maxContains: 2 }, "s.maxContains", "cannot be enforced"],
  [{ $ref: "https://example.com/other" }, "s.$ref", "leads out of the schema"],
  [{ $ref: "#/$defs/none" }, "s.$ref", "leads to nothing"],
  [{ type: "object", minProperties: 3 }, "s", "asks for more properties of names that are not given than one"],
  [{ type: "integer", not: { multipleOf: 2 } }, "s.not", "cannot be enforced where values must not match it"],
  [
    { type: "integer", not: { const: 5 } },
    "s.not",
    "cannot be enforced where a number, a list or an object must not be the value",
  ],
  [{ enum: [] }, "s", "is a schema that no value matches"],
  [{ type: "string", enum: [1] }, "s", "is a schema that no value matches"],
  [{ type: "integer", minimum: 5, maximum: 4 }, "s", "is a schema that no value matches"],
  [false, "s", "is a schema that no value matches"],
  [{ type: "object", properties: { a: { $ref: "#" } }, required: ["a"] }, "s", "is a schema that no value matches"],
  [7, "s", "is no schema"],
];

describe("a schema that cannot be enforced", () => {
  it.each(REFUSED)("is refused by the place: %j", (schema, field, message) => {
    expect(() => schemaGrammar(schema, "s")).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field, message }),
    );
  });

  it("is refused where it is nested without end, too large, or has too many ways to match", () => {
    let deep: unknown = { type: "null" };
    for (let i = 0; i < 5000; i++) deep = { type: "array", items: deep };
    const wide = { enum: Array.from({ length: 40_000 }, (_, i) => `value ${i}`) };
    const product = {
      allOf: Array.from({ length: 12 }, (_, i) => ({ anyOf: [{ minLength: i }, { maxLength: 100 + i }] })),
    };
    for (const schema of [deep, wide, product])
      expect(() => schemaGrammar(schema, "s")).toThrowError(expect.objectContaining({ code: "invalid_argument" }));
  });
});

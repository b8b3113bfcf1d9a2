/** Schemas of older drafts, with what newer ones have by other names. */
export const ENFORCED_DRAFT_7_SCHEMAS: Readonly<Record<string, unknown>> = {
  "items in a list": {
    type: "array",
    items: [{ type: "integer" }, { type: "string" }],
    additionalItems: { type: "null" },
  },
  "items in a list alone": { type: "array", items: [{ type: "integer" }], additionalItems: false },
  dependencies: {
    type: "object",
    properties: { a: { type: "null" }, b: { type: "null" }, c: { type: "integer" } },
    dependencies: { a: ["b"], c: { properties: { c: { minimum: 3 } } } },
  },
  definitions: { definitions: { a: { type: "integer" } }, type: "array", items: { $ref: "#/definitions/a" } },
};

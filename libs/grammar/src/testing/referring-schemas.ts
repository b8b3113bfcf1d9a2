/** Schemas that refer to themselves, or to parts of themselves. */
export const REFERRING_SCHEMAS: Readonly<Record<string, unknown>> = {
  references: {
    $defs: {
      tree: {
        type: "object",
        properties: { v: { type: "integer" }, next: { anyOf: [{ $ref: "#/$defs/tree" }, { type: "null" }] } },
        required: ["v", "next"],
      },
    },
    $ref: "#/$defs/tree",
  },
  "a reference to the root": {
    type: "object",
    properties: { children: { type: "array", items: { $ref: "#" } } },
    required: ["children"],
  },
  "a reference by anchor": {
    $defs: { x: { $anchor: "here", type: "integer" } },
    type: "array",
    items: { $ref: "#here" },
  },
};

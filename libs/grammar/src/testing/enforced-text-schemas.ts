/** Schemas of texts as libraries of clients write them, which are enforced. */
export const ENFORCED_TEXT_SCHEMAS: Readonly<Record<string, unknown>> = {
  "a pattern that looks ahead, as zod has it for mail": {
    type: "string",
    pattern: "^(?!\\.)(?!.*\\.\\.)[\\w+.-]*[\\w+-]@(?:[a-z\\d][a-z\\d-]*\\.)+[a-z]{2,}$",
  },
  "a pattern that looks ahead, as libraries have it for decimals": {
    anyOf: [{ type: "number" }, { type: "string", pattern: "^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d{0,2}$" }],
  },
  "patterns that look ahead in the middle": {
    type: "object",
    properties: {
      password: { type: "string", pattern: "^(?=.*\\d)(?=.*[a-z])[a-z\\d]{4,8}$" },
      bounded: { type: "string", pattern: "^(?=.*\\d)(?=.*[a-z])[a-z\\d-]+$", minLength: 8, maxLength: 12 },
      duration: { type: "string", pattern: "^P(?=\\d|T)(?:\\d+D)?(?:T(?=\\d)(?:\\d+H)?(?:\\d+M)?)?$" },
      free: { type: "string", pattern: "^(?:(?!ab)[abc])+(?!c$)b?c?$" },
      searched: { type: "string", pattern: "b(?=c|d$)" },
      nested: { type: "string", pattern: "^(?!a(?!b))[ab]+$" },
    },
    required: ["password", "bounded", "duration", "free", "searched", "nested"],
  },
  "a type that may be null": { type: "array", minItems: 3, items: { type: "integer", minimum: 3, nullable: true } },
  "addresses with lengths and patterns, as pydantic and zod write them": {
    type: "array",
    minItems: 5,
    prefixItems: [
      { type: "string", format: "uri", minLength: 1, maxLength: 2083 },
      { type: "string", format: "uri", maxLength: 255 },
      { type: "string", format: "uri", pattern: "^https://" },
      { type: "string", format: "email", maxLength: 100 },
      { type: "string", format: "email", minLength: 6, maxLength: 40 },
    ],
    items: false,
  },
};

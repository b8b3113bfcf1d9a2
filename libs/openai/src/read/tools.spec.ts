import { describe, expect, it } from "vitest";
import { readAnthropic } from "../anthropic/read-message.ts";
import { readResponse } from "../responses/read-response.ts";
import { refused, tinyFacts } from "../testing/tiny-facts.ts";
import { readChat } from "./chat.ts";

const messages = [{ role: "user", content: "hi" }];
const chat = (body: object) => readChat({ model: "tiny", messages, ...body }, tinyFacts());

describe("tools that may be called", () => {
  it("a function without parameters is called without any, however its schema says that it has none", () => {
    const grammarOf = (parameters: unknown) => {
      const tools = [{ type: "function", function: { name: "now", ...(parameters !== undefined && { parameters }) } }];
      return chat({ tools, tool_choice: "required" }).constraint?.grammar;
    };
    const none = grammarOf({ type: "object", properties: {}, additionalProperties: false });
    const title = { $schema: "https://json-schema.org/draft/2020-12/schema", title: "Now", description: "d" };
    for (const schema of [undefined, null, {}, { type: "object", properties: {} }, { properties: {}, required: [] }])
      expect(grammarOf(schema), JSON.stringify(schema)).toBe(none);
    expect(grammarOf({ type: "object", properties: {}, ...title })).toBe(none);
    for (const schema of [
      { type: "object" },
      { type: "object", properties: {}, additionalProperties: true },
      { type: "object", properties: {}, patternProperties: { "^a": {} } },
      { type: "object", properties: {}, required: ["a"] },
      { type: "object", properties: { a: {} } },
    ])
      expect(grammarOf(schema), JSON.stringify(schema)).not.toBe(none);
    const strict = { type: "function", function: { name: "now", strict: true } };
    const written = { ...strict, function: { ...strict.function, parameters: { type: "object", properties: {} } } };
    expect(chat({ tools: [strict] }).constraint).toEqual(chat({ tools: [written] }).constraint);
  });

  it("a function has a name that is not empty, wherever it is described", () => {
    const functions = [{ name: "f" }, { name: "" }];
    const tools = functions.map((each) => ({ type: "function", function: each }));
    expect(refused(() => chat({ tools }))).toEqual(["invalid_argument", "tools[1].function.name: must not be empty"]);
    expect(refused(() => chat({ functions }))[1]).toBe("functions[1].name: must not be empty");
    const flat = functions.map((each) => ({ type: "function", ...each }));
    const response = { model: "tiny", input: "hi", tools: flat };
    expect(refused(() => readResponse(response, tinyFacts(), undefined))[1]).toBe("tools[1].name: must not be empty");
    const named = functions.map((each) => ({ ...each, input_schema: {} }));
    const message = { model: "tiny", max_tokens: 4, messages, tools: named };
    expect(refused(() => readAnthropic(message, tinyFacts()))[1]).toBe("tools[1].name: must not be empty");
  });

  it("a choice of a function need not say that it is one", () => {
    const tools = ["f", "g"].map((name) => ({ type: "function", function: { name } }));
    const chosen = (tool_choice: object) => chat({ tools, tool_choice }).constraint?.grammar;
    expect(chosen({ function: { name: "g" } })).toBe(chosen({ type: "function", function: { name: "g" } }));
    expect(refused(() => chosen({ function: { name: "h" } }))[1]).toMatch(/^tool_choice: must name a function/);
    expect(refused(() => chosen({ name: "g" }))[1]).toMatch(/^tool_choice: must be auto/);
  });
});

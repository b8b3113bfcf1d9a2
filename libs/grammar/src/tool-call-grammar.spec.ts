import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { chance } from "./testing/chance.ts";
import { ENFORCED_SCHEMAS } from "./testing/enforced-schemas.ts";
import { sampleText } from "./testing/sample-text.ts";
import { type CallableTool, type CallStyle, strictToolGrammar, toolCallGrammar } from "./tool-call-grammar.ts";

const SAMPLES = 60;

const toolOf = (name: string, parameters: unknown): CallableTool => ({ name, parameters, field: "tools[0]" });

const samplesOf = (grammar: string, lengthMax = 200) => {
  const random = chance(4711);
  return Array.from({ length: SAMPLES }, () => sampleText(grammar, random, lengthMax));
};

const PYTHON_WORDS: Readonly<Record<string, string>> = { True: "true", False: "false", None: "null" };

/** The calls of a list as Python reads it. Between names and brackets its literals are JSON's but for three words. */
function readPython(text: string): readonly Readonly<{ name: string; arguments: unknown }>[] {
  const json = text.replace(/("(?:[^"\\]|\\.)*")|([A-Za-z_][\w-]*)(\(|=)?|\)/gs, (all, quoted, word, behind) => {
    if (quoted !== undefined) return quoted;
    if (word === undefined) return "}}";
    if (behind === "(") return `{"name": "${word}", "arguments": {`;
    return behind === "=" ? `"${word}":` : (PYTHON_WORDS[word] ?? all);
  });
  return JSON.parse(json);
}

/** Those that an argument can be of: nothing but the values of a schema. */
const ARGUMENTS = Object.entries(ENFORCED_SCHEMAS).filter(([name]) => name !== "older exclusive bounds");

function argumentsSchema(schema: unknown): object {
  const { $defs, definitions, ...own } = Object(schema) as Readonly<Record<string, unknown>>;
  const value = typeof schema === "boolean" ? schema : own;
  return {
    type: "object",
    properties: { given: value, "with-dash": { type: "boolean" } },
    required: ["given"],
    ...($defs !== undefined && { $defs }),
    ...(definitions !== undefined && { definitions }),
  };
}

describe("calls as Python writes them", () => {
  it.each(ARGUMENTS)("are read as what the schema asks for: %s", (_, schema) => {
    if (JSON.stringify(schema).includes('"#"')) return;
    const parameters = argumentsSchema(schema);
    const tools = [toolOf("f", parameters)];
    const ajv = new Ajv2020({ strict: false, logger: false, validateSchema: false });
    addFormats.default(ajv);
    const validate = ajv.compile(JSON.parse(JSON.stringify(parameters)));
    for (const text of samplesOf(toolCallGrammar({ tools, isParallel: false, style: "python" }, "tool_choice"))) {
      expect(text).toMatch(/^\[f\(given=/);
      const calls = readPython(text);
      expect(calls.length, text).toBe(1);
      expect(validate(calls[0]?.arguments), `${text}: ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  });

  it("have their values' own words, one list, and brackets that may be empty", () => {
    const parameters = { type: "object", properties: { a: { enum: [true, null, [false]] } }, required: ["a"] };
    const tools = [
      toolOf("f", parameters),
      toolOf("g", { type: "object", properties: {}, additionalProperties: false }),
    ];
    const texts = new Set(samplesOf(toolCallGrammar({ tools, isParallel: true, style: "python" }, "tool_choice"), 30));
    for (const text of ["[f(a=True)]", "[f(a=None)]", "[f(a=[False])]", "[g()]"]) expect(texts).toContain(text);
    for (const text of texts)
      expect(text).toMatch(/^\[(f\(a=(True|None|\[False\])\)|g\(\))(, ?(f\(a=(True|None|\[False\])\)|g\(\)))*\]$/);
    expect(Math.max(...[...texts].map((text) => readPython(text).length))).toBeGreaterThan(1);
  });

  it("name parameters that a schema leaves open, each as a name", () => {
    const tools = [toolOf("f", { type: "object", additionalProperties: { type: "integer" }, minProperties: 1 })];
    for (const text of samplesOf(toolCallGrammar({ tools, isParallel: false, style: "python" }, "tool_choice")))
      expect(text).toMatch(/^\[f\([A-Za-z_][\w-]*=-?\d+(, ?[A-Za-z_][\w-]*=-?\d+)*\)\]$/);
  });

  it("stand behind a text that calls nothing, where calls are strict and free to come", () => {
    const tools = [toolOf("f", { type: "object", properties: { a: { const: 1 } }, required: ["a"] })];
    const texts = samplesOf(strictToolGrammar({ tools, isParallel: false, style: "python" }, "tools"), 20);
    const ends = texts.filter((text) => text.endsWith("[f(a=1)]"));
    expect(ends.length).toBeGreaterThan(0);
    expect(ends.length).toBeLessThan(texts.length);
  });
});

describe("calls in JSON", () => {
  const grammarOf = (tools: readonly CallableTool[], style: CallStyle) =>
    toolCallGrammar({ tools, isParallel: true, style }, "tool_choice");

  it.each([
    ["a function whose name begins with a digit", toolOf("2f", { type: "object" })],
    ["a parameter with a space", toolOf("f", { type: "object", properties: { "a b": {} } })],
    ["a required parameter that no schema tells of", toolOf("f", { type: "object", required: ["a.b"] })],
  ])("are written where Python has no name: %s", (_, tool) => {
    const tools = [toolOf("g", { type: "object" }), tool];
    expect(grammarOf(tools, "python")).toBe(grammarOf(tools, "json"));
  });

  it("stand one behind the other", () => {
    const tools = [toolOf("f", { type: "object", properties: { a: { const: true } }, required: ["a"] })];
    const call = '\\{"name": ?"f", ?"parameters": ?\\{"a": ?true\\}\\}';
    for (const text of samplesOf(grammarOf(tools, "json"))) expect(text).toMatch(new RegExp(`^${call}(; ?${call})*$`));
  });
});

describe("a tool that nothing can call", () => {
  it.each(["json", "python"] as const)("is refused by its place, in %s", (style) => {
    const tools = [toolOf("f", { type: "object", properties: { a: false }, required: ["a"] })];
    expect(() => toolCallGrammar({ tools, isParallel: true, style }, "tool_choice")).toThrowError(
      expect.objectContaining({ field: "tools[0]", message: "is a schema that no arguments match" }),
    );
  });
});

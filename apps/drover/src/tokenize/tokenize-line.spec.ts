import { expect, test } from "vitest";
import { readTokenizeLine } from "./tokenize-line.ts";

const read = (value: unknown) => readTokenizeLine(JSON.stringify(value));
const image = (url: unknown) => ({ type: "image_url", image_url: { url } });

test("a conversation has the URLs of its images in order, and a developer speaks as the system", () => {
  const messages = [
    { role: "developer", content: [image("a.png"), { type: "text", text: "x" }] },
    { role: "user", content: [image("b.png"), image("a.png")] },
  ];
  const line = read({ messages });
  expect(line).toMatchObject({ kind: "chat", imageUrls: ["a.png", "b.png", "a.png"] });
  expect(line).toMatchObject({
    input: { addGenerationPrompt: true, messages: [{ role: "system" }, { role: "user" }] },
  });
});

test("numbers keep the form that they were written in", () => {
  const line = readTokenizeLine('{"messages": [], "tools": [{"minimum": 1.0}]}');
  expect(line).toMatchObject({ input: { tools: [{ minimum: Object(1) }] } });
});

test("a text beside messages is not read", () => {
  expect(read({ messages: [], text: 5 })).toMatchObject({ kind: "chat" });
  expect(read({ text: "a" })).toEqual({ kind: "text", text: "a" });
});

const message = (fields: object) => ({ messages: [{ role: "user", ...fields }] });
test.each<[string, unknown]>([
  ["text", {}],
  ["text", { text: null }],
  ["the line", []],
  ["messages", { messages: "x" }],
  ["messages[0]", { messages: [1] }],
  ["messages[0].role", { messages: [{ content: "x" }] }],
  ["messages[0].content", message({ content: 5 })],
  ["messages[0].content[0]", message({ content: ["x"] })],
  ["messages[0].content[0].type", message({ content: [{ type: "sound" }] })],
  ["messages[0].content[0].text", message({ content: [{ type: "text" }] })],
  ["messages[0].content[0].image_url", message({ content: [{ type: "image_url" }] })],
  ["messages[0].content[0].image_url.url", message({ content: [image(1)] })],
  ["messages[0].tool_calls", message({ tool_calls: {} })],
  ["messages[0].tool_calls[0]", message({ tool_calls: ["f"] })],
  ["tools", { messages: [], tools: {} }],
  ["tools[0]", { messages: [], tools: ["f"] }],
  ["add_generation_prompt", { messages: [], add_generation_prompt: "no" }],
  ["chat_template_kwargs", { messages: [], chat_template_kwargs: [] }],
])("what is wrong is refused by its field: %s", (field, value) => {
  expect(() => read(value)).toThrowError(expect.objectContaining({ code: "invalid_argument", field }));
});

test("what is no JSON is refused", () => {
  expect(() => readTokenizeLine("{")).toThrowError(expect.objectContaining({ code: "invalid_argument" }));
});

import { describe, expect, it } from "vitest";
import { readChat } from "../read/chat.ts";
import { refused, tinyFacts } from "../testing/tiny-facts.ts";
import { keptNames, responseOfItem } from "./kept-items.ts";
import type { KeptParts } from "./kept-response.ts";
import { readResponse } from "./read-response.ts";
import { itemId } from "./response.ts";

const parameters = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };
const tools = ["f", "g"].map((name) => ({ type: "function", name, parameters }));
const chatTools = tools.map(({ name }) => ({ type: "function", function: { name, parameters } }));
const read = (body: object, kept?: KeptParts) =>
  readResponse({ model: "tiny", input: "hi", ...body }, tinyFacts(), kept);
const chat = (body: object) =>
  readChat({ model: "tiny", messages: [{ role: "user", content: "hi" }], ...body }, tinyFacts());
const schema = { type: "object", properties: { b: { type: "boolean" } }, required: ["b"] };

describe("a response's body", () => {
  it("has the texts of files as its own, and refuses other files by their field", () => {
    const saying = (part: object) => ({
      input: [{ role: "user", content: [{ type: "input_text", text: "a" }, part] }],
    });
    const url = (type: string, bytes: string | Uint8Array) =>
      `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;
    const text = (part: object) => {
      const { prompt } = read(saying({ type: "input_file", ...part }));
      return prompt.kind === "chat" ? prompt.input.messages.at(-1)?.content : undefined;
    };
    for (const type of ["text/plain", "text/markdown;charset=utf-8", "application/json", "application/ld+json"])
      expect(text({ filename: "a.txt", file_data: url(type, "grüß") })).toEqual([
        { type: "text", text: "a" },
        { type: "text", text: "a.txt\ngrüß" },
      ]);
    expect(text({ file_data: url("text/plain", "b") })).toContainEqual({ type: "text", text: "b" });
    for (const file_data of [
      url("application/pdf", "a"),
      "data:text/plain,a",
      "a",
      url("text/plain", Uint8Array.of(0xff)),
    ])
      expect(refused(() => text({ file_data }))[1]).toMatch(/^input\[0\]\.content\[1\]\.file_data/);
    expect(refused(() => text({ file_id: "file-1" }))[1]).toMatch(/^input\[0\]\.content\[1\]\.file_data/);
  });

  it("asks for structured output and forced calls as a chat does, by its own names", () => {
    const format = { type: "json_schema", name: "x", schema };
    for (const [one, other] of [
      [{ text: { format } }, { response_format: { type: "json_schema", json_schema: { name: "x", schema } } }],
      [{ text: { format: { type: "json_object" } } }, { response_format: { type: "json_object" } }],
      [{ text: { format: { type: "text" } } }, {}],
      [
        { tools, text: { format } },
        { tools: chatTools, response_format: { type: "json_schema", json_schema: { schema } } },
      ],
      [
        { tools, tool_choice: "required" },
        { tools: chatTools, tool_choice: "required" },
      ],
      [
        { tools, tool_choice: "required", parallel_tool_calls: false },
        { tools: chatTools, tool_choice: "required", parallel_tool_calls: false },
      ],
      [
        { tools, tool_choice: { type: "function", name: "g" } },
        { tools: chatTools, tool_choice: { type: "function", function: { name: "g" } } },
      ],
      [
        { tools, tool_choice: { type: "allowed_tools", mode: "required", tools: [{ type: "function", name: "g" }] } },
        { tools: chatTools, tool_choice: { type: "allowed_tools", mode: "required", tools: [{ name: "g" }] } },
      ],
      [
        { tools: tools.map((tool) => ({ ...tool, strict: true })) },
        { tools: chatTools.map(({ function: called }) => ({ function: { ...called, strict: true } })) },
      ],
    ]) {
      const [mine, theirs] = [read(one ?? {}), chat(other ?? {})];
      expect(mine.constraint?.grammar).toBe(theirs.constraint?.grammar);
      expect(mine.toolCalls).toEqual(theirs.toolCalls);
    }
    expect(read({ tools, tool_choice: "required" }).prompt).toMatchObject({ input: { tools: chatTools } });
  });

  it("repeats the format that it asked for, and text where it asked for none", () => {
    const format = { type: "json_schema", name: "x", schema, strict: true };
    expect(read({ text: { format, verbosity: "low" } }).reply.repeated?.text).toEqual({ format, verbosity: "low" });
    expect(read({}).reply.repeated?.text).toEqual({ format: { type: "text" } });
  });

  it("is refused by the place of what cannot be served", () => {
    const bad = { type: "object", properties: { a: { type: "string", format: "spell" } } };
    for (const [body, field] of [
      [{ text: { format: { type: "json_schema", schema: bad } } }, "text.format.schema.properties.a.format"],
      [{ text: { format: { type: "grammar" } } }, "text.format.grammar"],
      [{ text: { format: { type: "json_schema" } } }, "text.format.schema"],
      [{ tools: [{ ...tools[0], parameters: bad }], tool_choice: "required" }, "tools[0].parameters.properties.a"],
      [{ tool_choice: "required" }, "tool_choice"],
      [{ tools, tool_choice: { type: "function", name: "h" } }, "tool_choice"],
      [{ tools, tool_choice: { type: "web_search_preview" } }, "tool_choice"],
      [{ tools, tool_choice: "any" }, "tool_choice"],
    ] as const) {
      const [code, message] = refused(() => read(body));
      expect([code, message.startsWith(field)], message).toEqual(["invalid_argument", true]);
    }
  });

  it("names items of kept responses, which are read as if they stood there", () => {
    const call = { type: "function_call", id: "fc_0a-1", call_id: "c", name: "f", arguments: "{}" };
    const output = { type: "function_call_output", call_id: "c", output: "1" };
    const ask = { role: "user", content: "hi" };
    const body = { input: [ask, { type: "item_reference", id: call.id }, output] };
    expect(keptNames(body)).toEqual({ previousId: undefined, itemIds: [call.id] });
    expect(responseOfItem(call.id)).toBe("resp_0a-1");
    for (const index of [0, 3]) expect(responseOfItem(itemId("msg", "resp_0a-1", index))).toBe("resp_0a-1");
    const kept = { previous: undefined, items: new Map([[call.id, call]]) };
    expect(read(body, kept).prompt).toEqual(read({ input: [ask, call, output] }).prompt);
    const [code, message] = refused(() => read(body));
    expect([code, message]).toEqual(["not_found", `input[1].id: the item "fc_0a-1" is not kept here`]);
    const many = { input: Array.from({ length: 257 }, () => ({ type: "item_reference", id: call.id })) };
    expect(refused(() => read(many, kept))[1]).toMatch(/^input: may refer to at most 256 items/);
    expect(keptNames({ input: [ask, { role: "assistant", id: "msg_1", content: "a" }] })).toBeUndefined();
  });

  it("may say nothing where it goes on with a kept response, and leave a message's type out or null", () => {
    const turns = [{ role: "user", content: "hi" }];
    const kept = {
      previous: { model: "tiny", response: {}, conversation: { messages: turns, images: [] } },
      items: new Map(),
    };
    const previous_response_id = "resp_1";
    for (const input of [undefined, null, []])
      expect(read({ previous_response_id, input }, kept).prompt).toMatchObject({ input: { messages: turns } });
    expect(refused(() => read({ input: [] }))[1]).toBe("input: must not be empty");
    expect(refused(() => read({ input: undefined }))[1]).toBe("input: is required");
    const asked = read({ input: turns });
    for (const type of ["message", null]) expect(read({ input: [{ type, ...turns[0] }] }).prompt).toEqual(asked.prompt);
  });

  it("with truncation auto has the end of a conversation read that does not fit, but not of one with images", () => {
    expect(read({ truncation: "auto" })).toMatchObject({
      promptTokensKept: "fit",
      reply: { repeated: { truncation: "auto" } },
    });
    for (const truncation of ["disabled", null, undefined]) expect(read({ truncation })).toEqual(read({}));
    expect(read({}).promptTokensKept).toBeUndefined();
    const image = { type: "input_image", image_url: "data:image/png;base64,AAAA" };
    expect(read({ truncation: "auto", input: [{ role: "user", content: [image] }] }).promptTokensKept).toBeUndefined();
    expect(refused(() => read({ truncation: "left" }))[1]).toBe("truncation: must be auto or disabled");
  });
});

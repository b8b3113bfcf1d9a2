import { describe, expect, it } from "vitest";
import { readChat } from "../read/chat.ts";
import type { ChatPrompt } from "../request/generation-query.ts";
import { refused, tinyFacts } from "../testing/tiny-facts.ts";
import { readAnthropic } from "./read-message.ts";

const input_schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };
const tools = ["f", "g"].map((name) => ({ name, input_schema }));
const chatTools = tools.map(({ name }) => ({ type: "function", function: { name, parameters: input_schema } }));
const messages = [{ role: "user", content: "hi" }];
const read = (body: object) => readAnthropic({ model: "tiny", max_tokens: 5, messages, ...body }, tinyFacts());
const chat = (body: object) => readChat({ model: "tiny", messages, ...body }, tinyFacts());
const schema = { type: "object", properties: { b: { type: "boolean" } }, required: ["b"] };
const format = { type: "json_schema", schema };
const asked = { response_format: { type: "json_schema", json_schema: { schema } } };

describe("a message's body", () => {
  it("asks for structured output and forced calls as a chat does, by its own names", () => {
    for (const [one, other] of [
      [{ output_config: { format, effort: "low" } }, asked],
      [{ output_format: format }, asked],
      [{ output_config: {} }, {}],
      [
        { tools, tool_choice: { type: "any" } },
        { tools: chatTools, tool_choice: "required" },
      ],
      [
        { tools, tool_choice: { type: "any", disable_parallel_tool_use: true } },
        { tools: chatTools, tool_choice: "required", parallel_tool_calls: false },
      ],
      [
        { tools, tool_choice: { type: "tool", name: "g" } },
        { tools: chatTools, tool_choice: { type: "function", function: { name: "g" } } },
      ],
      [
        { tools, tool_choice: { type: "none" }, output_format: format },
        { tools: chatTools, tool_choice: "none", ...asked },
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
    expect(read({ tools, tool_choice: { type: "any" } }).prompt).toMatchObject({ input: { tools: chatTools } });
  });

  it("is refused by the place of what cannot be served", () => {
    const bad = { type: "object", properties: { a: { type: "string", format: "spell" } } };
    for (const [body, field] of [
      [{ output_config: { format: { type: "json_schema", schema: bad } } }, "output_config.format.schema.properties.a"],
      [{ output_format: { type: "json_object" } }, "output_format.type"],
      [{ output_format: format, output_config: { format } }, "output_format"],
      [{ tools: [{ name: "f", input_schema: bad }], tool_choice: { type: "any" } }, "tools[0].input_schema.properties"],
      [{ tool_choice: { type: "any" } }, "tool_choice"],
      [{ tools, tool_choice: { type: "tool" } }, "tool_choice.name"],
      [{ tools, tool_choice: { type: "tool", name: "h" } }, "tool_choice"],
      [{ tools, tool_choice: { type: "some" } }, "tool_choice.type"],
    ] as const) {
      const [code, message] = refused(() => read(body));
      expect([code, message.startsWith(field)], message).toEqual(["invalid_argument", true]);
    }
  });

  const promptOf = (turns: readonly object[]) => (read({ messages: turns }).prompt as ChatPrompt).input;

  it("goes on with the assistant's last turn where that has text, and else answers what came before", () => {
    const [user] = messages;
    const asked = promptOf([user ?? {}]);
    expect(asked).toMatchObject({ addGenerationPrompt: true });
    for (const content of ["", [], [{ type: "text", text: "" }], [{ type: "thinking", thinking: "hm", signature: "" }]])
      expect(promptOf([user ?? {}, { role: "assistant", content }]), JSON.stringify(content)).toEqual(asked);
    for (const content of ["The", [{ type: "text", text: "The" }]])
      expect(promptOf([user ?? {}, { role: "assistant", content }])).toMatchObject({
        addGenerationPrompt: false,
        continueFinalMessage: true,
        messages: [{ role: "user" }, { role: "assistant" }],
      });
  });

  it("has documents and found texts in turns and results, which are read as text", () => {
    const title = "T";
    const text = { type: "text", text: "b" };
    const blocks = [
      { type: "document", source: { type: "text", media_type: "text/plain", data: "b" }, title, citations: null },
      { type: "document", source: { type: "content", content: "b" }, context: "C" },
      { type: "document", source: { type: "content", content: [text, text] } },
      { type: "search_result", source: "https://a.example", title, content: [text] },
    ];
    const shown = ["T\nb", "C\nb", "b\nb", "T\nhttps://a.example\nb"].map((said) => ({ type: "text", text: said }));
    const result = { type: "tool_result", tool_use_id: "1", content: blocks };
    expect(promptOf([{ role: "user", content: [...blocks, result] }]).messages).toEqual([
      { role: "tool", tool_call_id: "1", content: shown },
      { role: "user", content: shown },
    ]);
    const pdf = { type: "document", source: { type: "base64", media_type: "application/pdf", data: "" } };
    expect(refused(() => promptOf([{ role: "user", content: [pdf] }]))[1]).toMatch(
      /^messages\[0\]\.content\[0\]\.source\.base64: is not supported/,
    );
  });
});

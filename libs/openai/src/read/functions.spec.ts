import { describe, expect, it } from "vitest";
import { refused, tinyFacts } from "../testing/tiny-facts.ts";
import { readChat } from "./chat.ts";

const messages = [{ role: "user", content: "hi" }];
const chat = (body: object) => readChat({ model: "tiny", messages, ...body }, tinyFacts());
const functions = ["f", "g"].map((name) => ({ name, description: name, parameters: { type: "object" } }));
const tools = functions.map((described) => ({ type: "function", function: described }));

describe("functions, as requests had them before tools", () => {
  it("are tools of which an answer calls one at most", () => {
    for (const [function_call, tool_choice] of [
      [undefined, undefined],
      [null, null],
      ["auto", "auto"],
      ["none", "none"],
      [{ name: "g" }, { type: "function", function: { name: "g" } }],
    ]) {
      const older = chat({ functions, function_call });
      const newer = chat({ tools, tool_choice, parallel_tool_calls: false });
      expect(older.toolCalls).toEqual(newer.toolCalls);
      expect(older.constraint?.grammar).toEqual(newer.constraint?.grammar);
      expect(older.prompt).toEqual(newer.prompt);
      expect([older.reply.olderCalls, newer.reply.olderCalls]).toEqual([true, undefined]);
    }
  });

  it("are none where the list is empty, whatever is said of a call", () => {
    for (const function_call of [undefined, null, "auto", "none"])
      expect(chat({ functions: [], function_call })).toEqual(chat({}));
  });

  it.each([
    [{ functions, tools }, "functions", "is not allowed beside tools"],
    [{ function_call: { name: "f" } }, "function_call", "needs functions"],
    [{ functions, function_call: { name: "h" } }, "function_call", "must name a function of functions"],
    [{ functions, function_call: "required" }, "function_call", "must be auto, none, or the name of a function"],
    [{ functions: [{}] }, "functions[0]", "must have a name"],
    [
      {
        functions: [{ name: "f", parameters: { type: "object", properties: { a: { $ref: "#/b" } } } }],
        function_call: { name: "f" },
      },
      "functions[0].parameters",
      "",
    ],
  ])("%j is refused by its own names", (body, field, sentence) => {
    const said = refused(() => chat(body))[1];
    expect(said.startsWith(field)).toBe(true);
    expect(said).toContain(sentence);
  });
});

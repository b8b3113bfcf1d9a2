import { DroverError } from "@drover/core";
import type { ChatMessage } from "./chat-input.ts";
import type { ChatTemplate } from "./chat-template.ts";

const FUNCTION = "probe";

const CALLED: readonly ChatMessage[] = [
  { role: "user", content: "a" },
  {
    role: "assistant",
    content: null,
    tool_calls: [{ id: "call_0", type: "function", function: { name: FUNCTION, arguments: '{"a": 1}' } }],
  },
  { role: "tool", tool_call_id: "call_0", content: "b" },
];

const TOOL = {
  type: "function",
  function: { name: FUNCTION, description: "", parameters: { type: "object", properties: { a: { type: "integer" } } } },
};

/** As Python writes a call, in a list. */
const PYTHON = new RegExp(`\\[\\s*${FUNCTION}\\(`);

/** How a template repeats a model's calls, which is how the model has learned to write them; JSON where it does not repeat them, or not without a tool. */
export function callStyleOf(template: ChatTemplate): "json" | "python" {
  for (const tools of [[TOOL], []])
    try {
      const { text } = template.render({ messages: CALLED, tools, addGenerationPrompt: false });
      return PYTHON.test(text) ? "python" : "json";
    } catch (error) {
      // The template takes no such conversation.
      if (!(error instanceof DroverError)) throw error;
    }
  return "json";
}

import { DroverError } from "@drover/core";
import type { ChatMessage } from "./chat-input.ts";
import { parseExactJson } from "./exact-json.ts";

/** A message as templates expect it: "" for null content, arguments as objects, images as `{"type": "image"}`. */
export function templateMessage(message: ChatMessage, index: number): Record<string, unknown> {
  const { content, tool_calls: calls, ...rest } = message;
  const parts = Array.isArray(content)
    ? content.map((part) => (part?.type === "image_url" ? { type: "image" } : part))
    : content;
  return {
    ...rest,
    content: parts ?? "",
    ...(Array.isArray(calls) ? { tool_calls: calls.map((call, i) => templateCall(call, index, i)) } : {}),
  };
}

function templateCall(call: Readonly<Record<string, unknown>>, messageIndex: number, index: number) {
  const { function: called, ...rest } = call;
  if (typeof called !== "object" || called === null) return call;
  const { arguments: given, ...named } = called as Record<string, unknown>;
  if (typeof given !== "string") return { ...rest, function: called };
  try {
    return { ...rest, function: { ...named, arguments: given === "" ? {} : parseExactJson(given) } };
  } catch (cause) {
    throw new DroverError("invalid_argument", "a tool call's arguments are not valid JSON", {
      field: `messages[${messageIndex}].tool_calls[${index}].function.arguments`,
      cause,
    });
  }
}

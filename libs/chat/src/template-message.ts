import type { ChatMessage } from "./chat-input.ts";
import { parseExactJson, plainNumber } from "./exact-json.ts";
import { ARGUMENTS_DEPTH_MAX } from "./limits.ts";

/** A message as templates expect it: "" for null content, arguments as objects, images as `{"type": "image"}`. */
export function templateMessage(message: ChatMessage): Record<string, unknown> {
  const { content, tool_calls: calls, ...rest } = message;
  const parts = Array.isArray(content)
    ? content.map((part) => (part?.type === "image_url" ? { type: "image" } : part))
    : content;
  return {
    ...rest,
    content: parts ?? "",
    ...(Array.isArray(calls) ? { tool_calls: calls.map(templateCall) } : {}),
  };
}

function templateCall(call: Readonly<Record<string, unknown>>) {
  const { function: called, ...rest } = call;
  if (typeof called !== "object" || called === null) return call;
  const { arguments: given, ...named } = called as Record<string, unknown>;
  return { ...rest, function: { ...named, arguments: argumentsObject(given) } };
}

/**
 * A call's arguments as the object that templates ask for. What a model wrote and what an agent kept need not be one: other JSON, a call that was
 * cut short, or any text is the one value of an object, so that the model sees what was there.
 */
function argumentsObject(given: unknown): unknown {
  if (typeof given !== "string")
    return isObject(given) ? given : argumentsObject(JSON.stringify(given ?? null, plainNumber));
  const parsed = parsedJson(given);
  if (isObject(parsed)) return parsed;
  return given.trim() === "" || parsed === null ? {} : { arguments: given };
}

/** The value of a JSON text; undefined for what is none, or too deep for a template. */
function parsedJson(text: string): unknown {
  if (depthOf(text) > ARGUMENTS_DEPTH_MAX) return undefined;
  try {
    return parseExactJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Number);
}

/** How deep a text's brackets go, those inside its strings left out. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (isString) {
      if (char === "\\") i++;
      else if (char === '"') isString = false;
    } else if (char === '"') isString = true;
    else if (char === "{" || char === "[") deepest = Math.max(deepest, ++depth);
    else if (char === "}" || char === "]") depth--;
  }
  return deepest;
}

import { type ChatInput, type ChatMessage, parseExactJson } from "@drover/chat";
import { DroverError } from "@drover/core";

/** What a line asks to encode: plain text, or a conversation with its images' URLs in order. */
export type TokenizeLine =
  | Readonly<{ kind: "text"; text: string }>
  | Readonly<{ kind: "chat"; input: ChatInput; imageUrls: readonly string[] }>;

type JsonObject = Readonly<Record<string, unknown>>;

/** Reads one JSON line; where there are `messages`, `text` is not read: it may be what the output is compared with. Errors: `invalid_argument` naming the field. */
export function readTokenizeLine(line: string): TokenizeLine {
  const body = readObject(parsed(line), "the line");
  const { text, messages } = body;
  if (messages === undefined) {
    if (typeof text !== "string")
      throw invalid("text", text === undefined ? "or messages is required" : "must be a string");
    return { kind: "text", text };
  }
  const imageUrls: string[] = [];
  const { tools, add_generation_prompt: addGenerationPrompt, chat_template_kwargs: variables } = body;
  if (!Array.isArray(messages)) throw invalid("messages", "must be a list");
  if (addGenerationPrompt !== undefined && typeof addGenerationPrompt !== "boolean")
    throw invalid("add_generation_prompt", "must be true or false");
  if (tools != null && !Array.isArray(tools)) throw invalid("tools", "must be a list");
  const input: ChatInput = {
    messages: messages.map((message, i) => readMessage(message, `messages[${i}]`, imageUrls)),
    addGenerationPrompt: addGenerationPrompt ?? true,
    ...(tools == null ? {} : { tools: tools.map((tool, i) => readObject(tool, `tools[${i}]`)) }),
    ...(variables == null ? {} : { variables: readObject(variables, "chat_template_kwargs") }),
  };
  return { kind: "chat", input, imageUrls };
}

/** As the router reads it: a developer's message is the system's. */
function readMessage(value: unknown, field: string, imageUrls: string[]): ChatMessage {
  const message = readObject(value, field);
  const { role, content, tool_calls: calls } = message;
  if (typeof role !== "string") throw invalid(`${field}.role`, "must be a string");
  if (Array.isArray(content)) {
    for (const [i, part] of content.entries()) readPart(part, `${field}.content[${i}]`, imageUrls);
  } else if (content != null && typeof content !== "string")
    throw invalid(`${field}.content`, "must be a string or a list of parts");
  if (calls != null) {
    if (!Array.isArray(calls)) throw invalid(`${field}.tool_calls`, "must be a list");
    for (const [i, call] of calls.entries()) readObject(call, `${field}.tool_calls[${i}]`);
  }
  return { ...message, role: role === "developer" ? "system" : role };
}

function readPart(value: unknown, field: string, imageUrls: string[]): void {
  const part = readObject(value, field);
  if (part.type === "text") {
    if (typeof part.text !== "string") throw invalid(`${field}.text`, "must be a string");
  } else if (part.type === "image_url") {
    const { url } = readObject(part.image_url, `${field}.image_url`);
    if (typeof url !== "string") throw invalid(`${field}.image_url.url`, "must be a string");
    imageUrls.push(url);
  } else throw invalid(`${field}.type`, "must be text or image_url");
}

function parsed(line: string): unknown {
  try {
    return parseExactJson(line);
  } catch (cause) {
    throw new DroverError("invalid_argument", "it is not valid JSON", { cause });
  }
}

function readObject(value: unknown, field: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw invalid(field, "must be an object");
}

function invalid(field: string, what: string): DroverError {
  return new DroverError("invalid_argument", `${field} ${what}`, { field });
}

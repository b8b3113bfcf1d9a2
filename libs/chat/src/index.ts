// A conversation to the model's tokens, by the checkpoint's own template.

export { callStyleOf } from "./call-style.ts";
export type { ChatInput, ChatMessage } from "./chat-input.ts";
export { JinjaChatTemplate } from "./chat-template.ts";
export { loadChatTemplate, loadTemplateSource } from "./load-chat-template.ts";
export { LocalPromptEncoder } from "./local-prompt-encoder.ts";
export { looksMarked, markedSegments } from "./marked-text.ts";
export type { PromptEncoder } from "./prompt-encoder.ts";
export { DEFAULT_TEMPLATE, type TemplateSource } from "./template-source.ts";

// What the model writes, back to calls of tools.

export { TOOL_CALL_MARKS, type ToolCallEvent, type ToolCallMark, ToolCallParser } from "./tool-call-parser.ts";

// JSON whose numbers stay as they were written.

export { parseExactJson, parseRequestJson, plainNumber } from "./exact-json.ts";
export { jsonExtent } from "./json-extent.ts";

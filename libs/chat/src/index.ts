export type { ChatInput, ChatMessage } from "./chat-input.ts";
export { JinjaChatTemplate } from "./chat-template.ts";
export { parseExactJson, parseRequestJson } from "./exact-json.ts";
export { loadChatTemplate, loadTemplateSource } from "./load-chat-template.ts";
export { LocalPromptEncoder } from "./local-prompt-encoder.ts";
export type { PromptEncoder } from "./prompt-encoder.ts";
export type { TemplateSource } from "./template-source.ts";
export { TOOL_CALL_MARKS, type ToolCallEvent, type ToolCallMark, ToolCallParser } from "./tool-call-parser.ts";

export type { ChatInput, ChatMessage, ChatTemplate, RenderedChat } from "./chat-template.ts";
export { IMAGE_TOKENS, type ImageToken, imageTokenLayout } from "./image-token-layout.ts";
export { loadChatTemplate } from "./load-chat-template.ts";
export { LocalPromptEncoder, type LocalPromptEncoderOptions } from "./local-prompt-encoder.ts";
export type { PromptEncoder } from "./prompt-encoder.ts";
export { TOOL_CALL_MARKS, type ToolCallEvent, type ToolCallMark, ToolCallParser } from "./tool-call-parser.ts";

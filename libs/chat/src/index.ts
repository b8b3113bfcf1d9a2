export type { ChatInput, ChatMessage, ChatTemplate, RenderedChat } from "./chat-template.ts";
export { loadChatTemplate } from "./load-chat-template.ts";
export type { PromptEncoder } from "./prompt-encoder.ts";

import type { ChatMessage } from "@drover/chat";
import type { ImageReference } from "../request/generation-query.ts";

/** A conversation that another request may go on with: its turns but for the instructions, and the images that they name, in order. */
export type Conversation = Readonly<{ messages: readonly ChatMessage[]; images: readonly ImageReference[] }>;

/** An answer that is kept: as its client saw it, and the conversation that it ends. */
export type KeptResponse = Readonly<{ model: string; response: unknown; conversation: Conversation }>;

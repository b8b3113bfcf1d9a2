import type { Conversation } from "../request/generation-query.ts";

/** An answer that is kept: as its client saw it, and the conversation that it ends. */
export type KeptResponse = Readonly<{ model: string; response: unknown; conversation: Conversation }>;

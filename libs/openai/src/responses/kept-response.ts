import type { Conversation } from "../request/generation-query.ts";

/** An answer that is kept: as its client saw it, and the conversation that it ends. */
export type KeptResponse = Readonly<{ model: string; response: unknown; conversation: Conversation }>;

/** What a body names of kept answers: the one that it goes on with, and items of any of them. */
export type KeptNames = Readonly<{ previousId: string | undefined; itemIds: readonly string[] }>;

/** What of it is kept; items by their ids. */
export type KeptParts = Readonly<{ previous: KeptResponse | undefined; items: ReadonlyMap<string, unknown> }>;

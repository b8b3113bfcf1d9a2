/** What goes first where tenants wait for the same: all of a higher one before any of a lower one. */
export const PRIORITIES = ["high", "normal", "low"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** What a key may be allowed beside inference. */
export const RIGHTS = ["debug", "batches"] as const;
export type Right = (typeof RIGHTS)[number];

/** One that asks, with all of its keys. A limit that is absent is none. */
export type Tenant = Readonly<{
  name: string;
  /** Tenants of one group find each other's cached prefixes and images; its own name unless given, so that nobody does. */
  group: string;
  /** Digests of its keys. */
  keyDigests: readonly string[];
  /** Requests that it may begin in a minute, all at once or spread. */
  requestsPerMinute?: number;
  /** Tokens of prompts and answers in a minute. */
  tokensPerMinute?: number;
  /** Requests at once. */
  concurrentRequests?: number;
  /** Bytes of KV that its requests at once may grow to, by their prompts and what they ask for. */
  kvBytes?: number;
  /** Names of the models that it may ask; all where absent. */
  models?: readonly string[];
  priority: Priority;
  /** Its part of what is short, beside others of its priority. */
  weight: number;
  rights: readonly Right[];
}>;

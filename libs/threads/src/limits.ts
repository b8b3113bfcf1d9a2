/** What is bounded for every pool; each names its own queue and deadline. */
export const THREAD_LIMITS = {
  /** When one whose request was refused as overloaded may come again: a request takes a fraction of a second, so soon there is room. */
  retryAfterMs: 1_000,
} as const;

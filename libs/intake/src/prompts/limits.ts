/** What the prompt pool bounds. */
export const PROMPT_LIMITS = {
  /** Prompts that wait for a thread; one more is refused as overloaded. Their texts are the requests', which the router bounds. */
  queueMax: 1024,
  /** How long a loaded thread may take for one prompt before it is ended and replaced. */
  encodeMsMax: 30_000,
  /**
   * A thread's heap: rendering holds a prompt some six times, and 32 MiB are the largest. The vocabulary is shared and not on it.
   */
  threadHeapMb: 1024,
  /** Text of so few characters is encoded where it is: under two milliseconds for the worst, a run without a split. */
  inlineCharactersMax: 4096,
} as const;

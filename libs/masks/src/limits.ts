// What constraining answers may take of a worker. Sum: threads times what one holds.

/** Threads that compile grammars and make masks: while one compiles, the masks of the other's choices come all the same. */
export const MASK_THREADS_MAX = 2;

/** Calls that wait for one thread: masks of a step are one call, so these are grammars to compile. One more is refused as overloaded. */
export const MASK_QUEUE_MAX = 1024;

/** One call of a thread, its vocabulary aside. A grammar that takes longer to compile is refused, and its thread replaced. */
export const COMPILE_MS_MAX = 10_000;

/** Compiled grammars that a thread keeps for later requests; the one that was not used for longest goes first. */
export const GRAMMARS_KEPT_MAX = 64;

/** Characters of all grammars that a thread keeps for later requests. */
export const GRAMMAR_CHARACTERS_KEPT_MAX = 4 * 2 ** 20;

/** Times that a choice's cursor is opened again because its thread has ended; then its request fails, and may be tried elsewhere. */
export const REOPENS_MAX = 2;

/** How long a step waits for masks that are being made; those that come later are in the step after it. */
export const SETTLE_MS_MAX = 100;

/** Tokens of a mask that are looked at one by one where a grammar counts; of more, those of plain text are told by their length. */
export const EXACT_TOKENS_MAX = 2_000;

/** Bytes of masks that a thread keeps, to give them again where a text stands at the same place of its grammar. */
export const MASK_BYTES_KEPT_MAX = 16 * 2 ** 20;

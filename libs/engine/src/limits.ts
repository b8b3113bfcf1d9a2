/** An engine without work looks at deadlines and lost routers this often. */
export const IDLE_MS = 1000;

/** Choices that may be active at once, running or waiting for room; a request beyond them is refused as overloaded. */
export const CHOICES_MAX = 512;

/** Rows that decode in one step. */
export const DECODE_ROWS_MAX = 256;

/** Measuring steps at start takes this long at most, and ends when a request comes. */
export const CALIBRATION_MS = 1500;

/** Context that is measured, tokens; less where the KV is small. */
export const CALIBRATION_TOKENS = 2048;

/** A row without an expert's answer is repeated this long before its request fails. */
export const PARK_MS = 30_000;

/** Pause before a step is repeated when every entry of the last one was parked. */
export const PARKED_PAUSE_MS = 20;

/** Where every choice waits for what other workers say or take of it, that is waited for so long; then it is looked whether another one has come. */
export const UNSETTLED_MS_MAX = 20;

/** Requests that remember being cancelled, so that a late placement of theirs is refused. */
export const TOMBSTONES_MAX = 4096;

/** What one attempt adds to its request's trace, at most: its own span, four phases, two steps, so many calls of each, and as many spans at the called workers. */
export const TRACED_CALLS_PER_STEP_MAX = 64;

/** A prompt whose rest is more than so many times as long as another prompt is not waited for by that one, which computes itself. */
export const LEADER_LENGTH_MAX = 2;

/** How often a request asks context workers for what others have left of its prompt, while somebody still reads it, and the pause between; then it goes on with what there is. */
export const PREPARE_TRIES_MAX = 6;
export const PREPARE_PAUSE_MS = 100;

/** A context worker that does not say in so long what it has left is waited for no more. */
export const PREPARE_MS_MAX = 3000;

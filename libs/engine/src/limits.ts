/** What the engine bounds, and by how much. */
export const ENGINE_LIMITS = {
  /** An engine without work looks at deadlines and lost routers this often. */
  idleMs: 1000,
  /** Choices that may be active at once, running or waiting for room; a request beyond them is refused as overloaded. */
  choicesMax: 512,
  /** Rows that decode in one step. */
  decodeRowsMax: 256,
  /** Measuring steps at start takes this long at most, and ends when a request comes. */
  calibrationMs: 1500,
  /** Context that is measured, tokens; less where the KV is small. */
  calibrationTokens: 2048,
  /** A row without an expert's answer is repeated this long before its request fails. */
  parkMs: 30_000,
  /** Pause before a step is repeated when every entry of the last one was parked. */
  parkedPauseMs: 20,
  /** Requests that remember being cancelled, so that a late placement of theirs is refused. */
  tombstonesMax: 4096,
} as const;

/** What one attempt adds to its request's trace, at most: its own span, four phases, two steps, so many calls of each, and as many spans at the called workers. */
export const TRACE_LIMITS = { callsPerStepMax: 64 } as const;

/** One sequence as the step's plan sees it. */
export type Candidate = Readonly<{
  id: number;
  /** The request that it belongs to: requests share a step, not their choices. */
  request: number;
  /** Committed rows. */
  position: number;
  /** Tokens not computed yet: 1 when decoding, more while its prompt is prefilled. */
  pendingTokenCount: number;
  /** The last step that served it, or the one in which it arrived. */
  lastStep: number;
  /** The last step that served a prompt of its request, or the one in which it arrived. */
  requestLastStep: number;
}>;

/** Rows of one sequence in a step. */
export type PlannedEntry = Readonly<{ id: number; rowCount: number }>;

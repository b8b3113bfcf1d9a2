/** One sequence as the step's plan sees it. */
export type Candidate = Readonly<{
  /** Rises with admission. */
  id: number;
  /** Of the request that it belongs to, rising with admission: requests share a step, not their choices. */
  requestOrder: number;
  /** Whose it is, and its part beside others'; absent: nobody is told apart. */
  tenant?: Readonly<{ name: string; weight: number }> | undefined;
  /** Committed rows. */
  computedCount: number;
  /** Rows that are known and not computed yet. */
  pendingTokenCount: number;
  /**
   * Whether it decodes: all that was known when it got its KV is computed but for the last row, and from then on its steps draw tokens. All of its
   * pending rows then go into a step, or none: one, or more where a step drew or guessed several tokens. Else it is a prompt, which takes what it gets.
   */
  isDecoding: boolean;
  /** Whether a client that has tokens already waits for its rows: of prompts it goes first, and others have a part all the same. */
  isUrgent?: boolean;
  /** The last step that served it, or the one in which it arrived. */
  lastStep: number;
  /** The last step that served a prompt of its request, or the one in which it arrived. */
  requestLastStep: number;
}>;

/** Rows of one candidate in a step: [position, position + rowCount). */
export type PlannedRows<T> = Readonly<{ of: T; position: number; rowCount: number }>;

/** The next `rowCount` rows of a candidate. */
export function rowsOf<T extends Candidate>(of: T, rowCount: number): PlannedRows<T> {
  return { of, position: of.computedCount, rowCount };
}

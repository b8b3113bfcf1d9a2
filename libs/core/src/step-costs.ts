/** What a worker predicts of its steps, in milliseconds; all 0 while it has measured nothing. */
export type StepCosts = Readonly<{
  /** One prompt row whose context is empty, its share of a whole step's fixed cost included. */
  promptRowMs: number;
  /** Added for each token of context before the row. */
  contextTokenMs: number;
  /** The decoding rows of its next step, together. */
  decodeMs: number;
  /** One more decoding row. */
  decodeRowMs: number;
  /** What a step may take: prompts share what decoding leaves of it. */
  stepMsMax: number;
}>;

/** The costs of a worker that has measured nothing. */
export const NO_COSTS: StepCosts = { promptRowMs: 0, contextTokenMs: 0, decodeMs: 0, decodeRowMs: 0, stepMsMax: 0 };

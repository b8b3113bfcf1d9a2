// Choosing one token from a row of logits, as a chain of small steps.
export { needsFullLogits, sampleToken } from "./chain.ts";
// What an executor's head is asked of a step's rows, and what is read from its answers.
export { type EntryAnswers, entryAnswers, type HeadOutput, type HeadRow, headRows } from "./head-rows.ts";
// A draw as numbers, for an executor that draws where its logits are.
export { type RowDraw, rowDraw } from "./row-draw.ts";
export type { SampleInput } from "./step.ts";
// What penalties know of the sequence.
export { TokenHistory } from "./token-history.ts";

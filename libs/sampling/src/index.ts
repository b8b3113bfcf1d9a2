// Choosing one token from a row of logits, as a chain of small steps.
export { needsFullLogits, sampleToken } from "./chain.ts";
export type { SampleInput } from "./step.ts";
// What penalties know of the sequence.
export { TokenHistory } from "./token-history.ts";

export { draw } from "./random.ts";
export { argMax, needsFullLogits, type SampleInput, sampleToken } from "./sample.ts";
export { TokenHistory } from "./token-history.ts";

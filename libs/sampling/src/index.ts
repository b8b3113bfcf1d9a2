export { needsFullLogits, sampleToken } from "./sample.ts";
export { TokenHistory } from "./token-history.ts";

// Which rows a step takes.
export type { Candidate, PlannedRows } from "./candidate.ts";
// What a step takes, learned from those that were.
export { type CostTerms, type EntryShape, stepTerms } from "./cost-terms.ts";
export type { CostSample } from "./fit-cost.ts";
export { claimsWithoutRoom, type KvClaim, needsRoom } from "./kv-claims.ts";
// Who may have KV, and who gives it back.
export { forecastBytes, type Growth } from "./kv-forecast.ts";
export { BATCHING_LIMITS } from "./limits.ts";
export { OutputLengths } from "./output-lengths.ts";
export { chooseVictim, type Holder } from "./preemption.ts";
export { StepCost } from "./step-cost.ts";
export { planStep, type StepBudget } from "./step-plan.ts";

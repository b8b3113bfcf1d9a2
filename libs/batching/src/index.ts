export type { Candidate, PlannedEntry } from "./candidate.ts";
export { type EntryShape, stepTerms } from "./cost-terms.ts";
export type { CostSample } from "./fit-cost.ts";
export { forecastBytes, type Growth } from "./kv-forecast.ts";
export { BATCHING_LIMITS } from "./limits.ts";
export { OutputLengths } from "./output-lengths.ts";
export { chooseVictim, type Holder, owes } from "./preemption.ts";
export { StepCost } from "./step-cost.ts";
export { planStep } from "./step-plan.ts";

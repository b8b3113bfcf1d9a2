// A step's plan: which rows it takes, of sequences that decode and of prompts.

export type { Candidate, PlannedRows } from "./candidate.ts";
export { aloneMs, planStep, type StepBudget } from "./step-plan.ts";
export { TenantService } from "./tenant-service.ts";

// What a step takes in milliseconds, learned from the steps that were.

export type { CostTerms, EntryShape } from "./cost-terms.ts";
export type { CostSample } from "./fit-cost.ts";
export { StepCost } from "./step-cost.ts";

// The memory of sequences: who may have KV, how it will grow, and who gives it back.

export { claimsWithoutRoom, type KvClaim, needsRoom } from "./kv-claims.ts";
export { forecastBytes, type Growth } from "./kv-forecast.ts";
export { OutputLengths } from "./output-lengths.ts";
export { chooseVictim, type Holder } from "./preemption.ts";

// Bounds that the engine keeps to.

export { DECODE_STRETCH, STEP_MS_MAX } from "./limits.ts";

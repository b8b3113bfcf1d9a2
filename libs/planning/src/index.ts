// What a checkpoint weighs, as it is or quantized.

export { weightInventory } from "./inventory.ts";
export { type LinearSizes, quantizedTensors } from "./quantized-tensors.ts";

// Which GPUs hold what of it, what is left for KV, and what helps where it does not fit.

export type { FleetRequest } from "./fleet-layout.ts";
export { CARD_STEP_FACTOR, GPUS_MAX } from "./limits.ts";
export { type FleetPlan, planFleet, type WorkerGroup } from "./plan.ts";
export type { Alternative, Remedy } from "./remedies.ts";

export type { FleetRequest } from "./fleet-layout.ts";
export { weightInventory } from "./inventory.ts";
export { GPUS_MAX } from "./limits.ts";
export { type FleetPlan, planFleet, type WorkerGroup } from "./plan.ts";
export { type LinearSizes, quantizedTensors } from "./quantized-tensors.ts";
export type { Alternative, Remedy } from "./remedies.ts";

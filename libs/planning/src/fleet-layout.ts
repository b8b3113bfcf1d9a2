import { at, type KvDtype } from "@drover/core";
import type { ModelShape } from "@drover/llama4";
import { activationSize } from "./activations.ts";
import { type ExpertShare, spreadExperts } from "./expert-spread.ts";
import { residentBytes, type WeightInventory } from "./inventory.ts";

/** What a plan is asked for. */
export type FleetRequest = Readonly<{
  model: ModelShape;
  weights: WeightInventory;
  gpuCount: number;
  /** Memory of one GPU. */
  gpuBytes: number;
  /** Memory of each GPU that is left to the driver, the runtime and fragmentation. */
  reserveBytes: number;
  /** Tokens of the request that must fit. */
  contextTokens: number;
  /** Copies of each routed expert, on different workers. */
  replicaCount: number;
  /** Prompt rows that one step computes. */
  stepRows: number;
  /** What KV rows are kept as. */
  kvFormat: KvDtype;
  /** Every worker attends and holds experts; else whichever layout serves the most. */
  together?: boolean;
}>;

/** One worker, which has one GPU of its own. `freeBytes` of an attention worker is the room for KV; below zero it does not fit. */
export type WorkerPlan = Readonly<{
  isAttention: boolean;
  hasVision: boolean;
  expertCount: number;
  residentBytes: number;
  expertBytes: number;
  visionBytes: number;
  activationBytes: number;
  reserveBytes: number;
  freeBytes: number;
}>;

/** The workers of a fleet, attention workers first. `together`: these hold routed experts too. */
export type FleetLayout = Readonly<{ together: boolean; attentionCount: number; workers: readonly WorkerPlan[] }>;

/** Every layout that a fleet of this size can have: 1 to all of the workers attend, and these hold experts or the others do; or the one that is asked for. */
export function* fleetLayouts(request: FleetRequest): Generator<FleetLayout> {
  if (request.together === true) {
    yield layoutOf(request, request.gpuCount, true);
    return;
  }
  for (const together of [false, true]) {
    for (let attentionCount = 1; attentionCount <= request.gpuCount; attentionCount++) {
      const holderCount = together ? request.gpuCount : request.gpuCount - attentionCount;
      if (holderCount >= request.replicaCount) yield layoutOf(request, attentionCount, together);
    }
  }
}

const NO_EXPERTS: ExpertShare = { expertCount: 0, bytes: 0 };

function layoutOf(request: FleetRequest, attentionCount: number, together: boolean): FleetLayout {
  const { model, weights, gpuCount } = request;
  const firstHolder = together ? 0 : attentionCount;
  const shares = spreadExperts(weights, model.expertCount, gpuCount - firstHolder, request.replicaCount);
  const activations = activationSize(model, request.stepRows);
  const resident = residentBytes(weights);
  const workers = Array.from({ length: gpuCount }, (_, index): WorkerPlan => {
    const isAttention = index < attentionCount;
    const { expertCount, bytes: expertBytes } = index < firstHolder ? NO_EXPERTS : at(shares, index - firstHolder);
    const ownBytes = isAttention ? resident : 0;
    const activationBytes =
      (isAttention ? activations.attentionBytes : 0) + (expertCount > 0 ? activations.expertBytes : 0);
    return {
      isAttention,
      hasVision: false,
      expertCount,
      residentBytes: ownBytes,
      expertBytes,
      visionBytes: 0,
      activationBytes,
      reserveBytes: request.reserveBytes,
      freeBytes: request.gpuBytes - request.reserveBytes - ownBytes - expertBytes - activationBytes,
    };
  });
  return { together, attentionCount, workers: withVision(workers, weights.byKind.vision.bytes) };
}

/** The vision encoder goes once to the worker with the most room, and beside attention only where no other has any. */
function withVision(workers: readonly WorkerPlan[], visionBytes: number): readonly WorkerPlan[] {
  if (visionBytes === 0) return workers;
  const roomiest = (candidates: readonly WorkerPlan[]) =>
    candidates.reduce<WorkerPlan | undefined>(
      (best, one) => (best === undefined || one.freeBytes > best.freeBytes ? one : best),
      undefined,
    );
  const others = workers.filter((one) => !one.isAttention && one.freeBytes >= visionBytes);
  const holder = roomiest(others) ?? roomiest(workers);
  return workers.map((worker) =>
    worker === holder ? { ...worker, hasVision: true, visionBytes, freeBytes: worker.freeBytes - visionBytes } : worker,
  );
}

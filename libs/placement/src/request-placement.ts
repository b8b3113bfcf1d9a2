import type { ModelId, WorkerId } from "@drover/core";
import { EXPECTED_OUTPUT_TOKENS, WORKER_REQUEST_MAX, WORKER_WAITING_MAX } from "./limits.ts";

/** What is known of one attention worker: its last status, and what was placed there since. */
export type WorkerCapacity = Readonly<{
  workerId: WorkerId;
  modelId: ModelId;
  /** Serves, is not leaving, not suspected and has not just refused. */
  available: boolean;
  kvBytesUsed: number;
  kvBytesMax: number;
  kvBytesPerToken: number;
  kvBytesFixed: number;
  runningCount: number;
  waitingCount: number;
  waitingTokenCount: number;
  contextTokensMax: number;
  /** Placements that its status does not show yet. */
  reservedBytes: number;
  reservedCount: number;
}>;

/** Token counts are sums over the request's choices. */
export type PlaceableRequest = Readonly<{
  modelId: ModelId;
  promptTokenCount: number;
  newTokenCountMax: number;
  choiceCount: number;
}>;

export type PlacementDecision =
  | Readonly<{ kind: "worker"; workerId: WorkerId; kvBytes: number }>
  /** No room now. */
  | Readonly<{ kind: "wait" }>
  /** No room ever on any worker that is known. */
  | Readonly<{ kind: "never"; reason: string }>;

/** KV bytes to count for a request at placing: its prompt and the output that is to be expected. */
export function placementBytes(worker: WorkerCapacity, request: PlaceableRequest): number {
  const outputTokens = Math.min(request.newTokenCountMax, EXPECTED_OUTPUT_TOKENS * request.choiceCount);
  return worker.kvBytesPerToken * (request.promptTokenCount + outputTokens) + worker.kvBytesFixed * request.choiceCount;
}

/** What is neither used nor spoken for. Negative when more waits in the worker than fits. */
export function freeBytes(worker: WorkerCapacity): number {
  const waitingBytes = worker.kvBytesPerToken * worker.waitingTokenCount + worker.kvBytesFixed * worker.waitingCount;
  return worker.kvBytesMax - worker.kvBytesUsed - waitingBytes - worker.reservedBytes;
}

const requestCount = (worker: WorkerCapacity) => worker.runningCount + worker.waitingCount + worker.reservedCount;

/** An idle worker takes whatever fits its context: what it still counts as used then is cached prefixes, which give way. */
function fits(worker: WorkerCapacity, request: PlaceableRequest): boolean {
  const count = requestCount(worker);
  if (count === 0) return true;
  if (worker.waitingCount >= WORKER_WAITING_MAX || count >= WORKER_REQUEST_MAX) return false;
  return placementBytes(worker, request) <= freeBytes(worker);
}

/** Fewest requests first, then most free bytes, then the id: the same state always gives the same worker. */
function better(a: WorkerCapacity, b: WorkerCapacity): number {
  return requestCount(a) - requestCount(b) || freeBytes(b) - freeBytes(a) || (a.workerId < b.workerId ? -1 : 1);
}

/**
 * The attention worker that takes the request: among those of its model with room for its KV, the least loaded.
 * `never` only when every worker of the model is known to be too small for one choice's prompt and output.
 */
export function placeRequest(workers: readonly WorkerCapacity[], request: PlaceableRequest): PlacementDecision {
  const choiceTokens = Math.ceil((request.promptTokenCount + request.newTokenCountMax) / request.choiceCount);
  const ofModel = workers.filter((worker) => worker.modelId === request.modelId);
  const largeEnough = ofModel.filter((worker) => worker.contextTokensMax >= choiceTokens);
  if (ofModel.length > 0 && largeEnough.length === 0) {
    const contextTokensMax = Math.max(...ofModel.map((worker) => worker.contextTokensMax));
    return { kind: "never", reason: `${choiceTokens} tokens are asked, the largest worker holds ${contextTokensMax}` };
  }
  const best = largeEnough
    .filter((worker) => worker.available && fits(worker, request))
    .sort(better)
    .at(0);
  if (best === undefined) return { kind: "wait" };
  return { kind: "worker", workerId: best.workerId, kvBytes: placementBytes(best, request) };
}

/** Whether a small request would find a place: the question to ask before a job is taken from the queue. */
export function hasRoom(workers: readonly WorkerCapacity[], modelId: ModelId): boolean {
  const smallest = { modelId, promptTokenCount: 1, newTokenCountMax: 1, choiceCount: 1 };
  return placeRequest(workers, smallest).kind === "worker";
}

import type { StepCosts } from "@drover/core";
import { modelId, workerId } from "@drover/core";
import type { WorkerCapacity } from "../requests/request-placement.ts";

export const unmeasured: StepCosts = { promptRowMs: 0, contextTokenMs: 0, decodeMs: 0, decodeRowMs: 0, stepMsMax: 0 };

/** An idle worker that has measured nothing. */
export const capacity = (id: string, fields: Partial<WorkerCapacity> = {}): WorkerCapacity => ({
  workerId: workerId(id),
  modelId: modelId("nano"),
  available: true,
  kvBytesUsed: 0,
  kvBytesCached: 0,
  kvBytesMax: 10_000,
  kvBytesPerToken: 10,
  kvBytesFixed: 100,
  runningCount: 0,
  waitingCount: 0,
  waitingTokenCount: 0,
  contextTokensMax: 1000,
  costs: unmeasured,
  pendingPromptMs: [],
  reservedBytes: 0,
  reservedCount: 0,
  reservedPromptMs: [],
  ...fields,
});

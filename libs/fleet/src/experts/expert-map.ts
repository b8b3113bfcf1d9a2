import type { ModelId, WorkerId } from "@drover/core";
import type { ActiveExperts } from "./active-map.ts";

/** One life of a worker, and where its peers reach it. */
export type WorkerEndpoint = Readonly<{
  workerId: WorkerId;
  incarnation: string;
  address: string;
  /** Whether the worker is draining: it answers for what it holds, and takes nothing new. */
  draining: boolean;
}>;

/** The leader's decision which workers answer for which expert. A later one has a greater epoch. */
export type ExpertMap = Readonly<{
  modelId: ModelId;
  epoch: bigint;
  /** Every expert has a holder. */
  complete: boolean;
  /** All workers that `experts` names, once each. */
  holders: readonly WorkerEndpoint[];
  experts: ActiveExperts;
}>;

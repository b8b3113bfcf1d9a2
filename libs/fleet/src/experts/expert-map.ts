import type { ModelId, WorkerId } from "@drover/core";
import type { ActiveExperts } from "./active-map.ts";

/** One life of a worker, and where its peers reach it. */
export type WorkerEndpoint = Readonly<{
  workerId: WorkerId;
  incarnation: string;
  address: string;
  /** It still answers for what it holds, and takes nothing new. */
  draining: boolean;
}>;

/** Who answers for which expert, as the leader has decided it. A later decision has a greater epoch. */
export type ExpertMap = Readonly<{
  modelId: ModelId;
  epoch: bigint;
  /** Every expert has a holder. */
  complete: boolean;
  /** All workers that `experts` names, once each. */
  holders: readonly WorkerEndpoint[];
  experts: ActiveExperts;
}>;

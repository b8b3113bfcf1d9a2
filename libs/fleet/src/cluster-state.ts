import type { KvDtype, Lane, ModelId, RouterId, WorkerId, WorkerRole } from "@drover/core";
import type { ExpertMap } from "./experts/expert-map.ts";
import type { DrainState } from "./members/drain-state.ts";
import type { PrefixCounts, WorkerStatus } from "./members/worker-status.ts";

/** One worker, as routers and people see it. */
export type WorkerState = Readonly<{
  workerId: WorkerId;
  incarnation: string;
  roles: readonly WorkerRole[];
  address: string;
  adminAddress: string;
  /** What it keeps keys and values as; undefined where it keeps none. */
  kvDtype: KvDtype | undefined;
  /** Undefined until its first report. */
  status: WorkerStatus | undefined;
  /** Experts that it has in memory. */
  expertCount: number;
  /** Milliseconds since its last report. */
  silentMs: number;
  /** Its process does not answer, though its connections may stand: what it has goes on elsewhere. */
  frozen: boolean;
  /** Tokens that the index expected to be cached, of the requests that this leader has placed there. */
  predictedPrefix: PrefixCounts;
  /** Blocks of its prefix cache that the index knows. */
  indexedBlockCount: number;
  /** Undefined where it does not drain. */
  drain: DrainState | undefined;
}>;

/** One lane of the queue. */
export type LaneState = Readonly<{
  lane: Lane;
  waitingCount: number;
  oldestAgeMs: number;
  /** How long a request that is added now will wait for a worker, predicted, and what each one ahead of it adds. */
  predictedWaitMs: number;
  waitMsPerJob: number;
}>;

/** All that the leader knows of its cluster, as it tells it to routers. */
export type ClusterState = Readonly<{
  modelId: ModelId;
  schedulerId: string;
  leaderEpoch: bigint;
  workers: readonly WorkerState[];
  expertMap: ExpertMap;
  lanes: readonly LaneState[];
  /** Routers that watch. */
  routerIds: readonly RouterId[];
  /** A request can be served now. */
  ready: boolean;
  /** The fingerprint of the workers' checkpoint: routers seed their block hashes with it. Undefined before the first worker. */
  modelFingerprint: string | undefined;
  /** What memory forbids, as a sentence: the expert map does not move for it. */
  expertShortage: string | undefined;
}>;

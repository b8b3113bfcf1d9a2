import { modelId, workerId } from "@drover/core";
import { type ClusterState, NO_STATUS, type WorkerState, type WorkerStatus } from "@drover/fleet";

/** What a test says of a worker; the rest is of one that has just joined. */
export type WorkerFacts = Partial<Omit<WorkerState, "workerId" | "status">> &
  Readonly<{ workerId?: string; status?: Partial<WorkerStatus> }>;

/** What a test says of a cluster; the rest is of one that has a leader and nothing else. */
export type ClusterFacts = Partial<Omit<ClusterState, "workers" | "modelId">> &
  Readonly<{ modelId?: string; workers?: readonly WorkerFacts[] }>;

/** A worker's state as routers and people see it. */
export function workerStateOf({ workerId: id = "w", status, ...facts }: WorkerFacts): WorkerState {
  return {
    workerId: workerId(id),
    incarnation: "1",
    roles: [],
    address: "127.0.0.1:1",
    adminAddress: "127.0.0.1:1",
    kvDtype: undefined,
    expertCount: 0,
    silentMs: 0,
    frozen: false,
    predictedPrefix: { promptTokenCount: 0, cachedTokenCount: 0 },
    indexedBlockCount: 0,
    drain: undefined,
    ...facts,
    status: status && { ...NO_STATUS, ready: false, ...status },
  };
}

/** A cluster's state as routers and people see it. */
export function clusterStateOf({ modelId: name = "tiny", workers = [], ...facts }: ClusterFacts = {}): ClusterState {
  const model = modelId(name);
  return {
    modelId: model,
    schedulerId: "s",
    leaderEpoch: 1n,
    expertMap: { modelId: model, epoch: 0n, complete: false, holders: [], experts: new Map() },
    lanes: [],
    routerIds: [],
    ready: false,
    modelFingerprint: undefined,
    expertShortage: undefined,
    ...facts,
    workers: workers.map(workerStateOf),
  };
}

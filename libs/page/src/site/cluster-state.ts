/** What this page reads of `/debug/cluster`; numbers of 64 bits are texts there. */
export type ClusterState = Readonly<{
  modelId: string;
  schedulerId: string;
  leaderEpoch: string;
  ready: boolean;
  workers: readonly WorkerState[];
  expertMap: ExpertMap;
  lanes: readonly Readonly<{ lane: string; waitingCount: number; oldestAgeMs: string; predictedWaitMs: string }>[];
  routerIds: readonly string[];
  expertShortage?: string;
}>;

type ExpertMap = Readonly<{
  epoch: string;
  complete: boolean;
  holders: readonly Readonly<{ workerId: string }>[];
  layers: readonly Readonly<{ layer: number; experts: readonly Readonly<{ holders: readonly number[] }>[] }>[];
}>;

type KvKind = Readonly<{ referenced: string; cached: string }>;

export type WorkerState = Readonly<{
  workerId: string;
  incarnation: string;
  roles: readonly string[];
  silentMs: number;
  expertCount: number;
  kvDtype: string;
  drain?: Readonly<{ drained?: boolean; obstacle?: string }>;
  status?: Readonly<{
    ready: boolean;
    kvBytesUsed: string;
    kvBytesMax: string;
    runningCount: number;
    waitingCount: number;
    globalKv?: KvKind;
    localKv?: KvKind;
    expertRowCount: string;
    stripedTokensKept: string;
    hottest: readonly Readonly<{ layer: number; expert: number; rowCount: string }>[];
  }>;
}>;

/** A worker that said nothing for longer is silent. */
const SILENT_MS = 2_500;

/** `ready`, `starting`, `silent`, or how far its drain is. */
export function stateOf({ status, silentMs, drain }: WorkerState): string {
  if (silentMs > SILENT_MS) return "silent";
  if (drain !== undefined) return drainOf(drain);
  return status?.ready === true ? "ready" : "starting";
}

function drainOf({ drained, obstacle }: NonNullable<WorkerState["drain"]>): string {
  if (drained === true) return "drained";
  return obstacle === undefined || obstacle === "" ? "draining" : "cannot drain";
}

/** `WORKER_ROLE_EXPERTS` as people say it. */
export const roleName = (role: string): string => role.replace(/^WORKER_ROLE_/, "").toLowerCase();

import { KV_DTYPES, type KvUse, WORKER_ROLES } from "@drover/core";
import {
  CANDIDATE_REFUSALS,
  type ClusterState,
  type DrainReply,
  type DrainRequest,
  type DrainState,
  type ExpertMap,
  type ExpertSet,
  PLACEMENT_KINDS,
  type PlacementRecord,
  type PrefixCounts,
  type WorkerEndpoint,
  type WorkerProfile,
  type WorkerStatus,
} from "@drover/fleet";
import { KV_KINDS } from "@drover/kv";
import fc from "fast-check";
import type { CacheChanges } from "../cache-changes.ts";
import type { CacheSnapshotPart } from "../cache-snapshot.ts";
import type { JoinHello } from "../join-hello.ts";
import { PENDING_PROMPTS_MAX } from "../limits.ts";
import type { WatchRequest } from "../watch-request.ts";
import type { WorkerOrder } from "../worker-order.ts";
import type { WorkerReport } from "../worker-report.ts";
import {
  aModelId,
  aRequestId,
  aRouterId,
  aWorkerId,
  hashes,
  lane,
  milliseconds,
  optionalText,
  u32,
  u53,
} from "./values.ts";

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const roles = fc.uniqueArray(fc.constantFrom(...WORKER_ROLES), { minLength: 1 });
const kvDtype = fc.constantFrom(...KV_DTYPES);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const profile: fc.Arbitrary<WorkerProfile> = fc.record(
  {
    workerId: aWorkerId,
    incarnation: fc.string({ minLength: 1 }),
    modelId: aModelId,
    roles,
    address: fc.string({ minLength: 1 }),
    adminAddress: fc.string(),
    expertCountMax: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    expertParameters: fc.integer({ min: 1, max: 2 ** 40 }),
    kvDtype,
  },
  { requiredKeys: ["workerId", "incarnation", "modelId", "roles", "address", "adminAddress"] },
);

export const joinHello: fc.Arbitrary<JoinHello> = fc.record({
  profile,
  checkpoint: fc.record({
    fingerprint: fc.string(),
    moeLayers: fc.array(u32, { maxLength: 5 }),
    expertCount: u32,
    chunkTokens: u32,
  }),
});

const kvUse: fc.Arbitrary<KvUse> = fc.record({ referenced: u53, cached: u53 });
const prefixCounts: fc.Arbitrary<PrefixCounts> = fc.record({ promptTokenCount: u53, cachedTokenCount: u53 });

export const workerStatus: fc.Arbitrary<WorkerStatus> = fc.record({
  ready: fc.boolean(),
  draining: fc.boolean(),
  runningCount: u32,
  waitingCount: u32,
  waitingTokenCount: u53,
  contextTokensMax: u53,
  kvBytesUsed: u53,
  kvBytesMax: u53,
  kvBytesPerToken: u53,
  kvBytesFixed: u53,
  globalKv: optional(kvUse),
  localKv: optional(kvUse),
  striping: optional(fc.record({ aboveTokens: fc.integer({ min: 1 }), keptTokens: u53 })),
  costs: fc.record({
    promptRowMs: milliseconds,
    contextTokenMs: milliseconds,
    decodeMs: milliseconds,
    decodeRowMs: milliseconds,
    stepMsMax: milliseconds,
  }),
  pendingPromptMs: fc.array(milliseconds, { maxLength: PENDING_PROMPTS_MAX }),
  progress: u53,
  sentAtMs: u53,
  prefix: prefixCounts,
  generatedTokenCount: u53,
  expertRowCount: u53,
  hottest: fc.array(fc.record({ layer: u32, expert: u32, rowCount: u53 }), { maxLength: 8 }),
  expertRows: fc
    .array(fc.tuple(u32, fc.array(u53, { maxLength: 4 })), { maxLength: 4 })
    .map((layers): WorkerStatus["expertRows"] => new Map(layers)),
  card: optional(
    fc.record({
      device: fc.constantFrom("cuda:0", "cuda:7"),
      ...{ weights: u53, kv: u53, activations: u53, exchange: u53, unused: u53, other: u53, free: u53 },
    }),
  ),
  computedMs: milliseconds,
  frames: fc.record({ sharedMemory: u53, grpc: u53 }),
  slowPeers: fc.array(
    fc.record({
      workerId: aWorkerId,
      slowness: fc.double({ min: 1, max: 50, noNaN: true }),
      isSilent: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
});

const expertSet: fc.Arbitrary<ExpertSet> = fc
  .array(
    fc.tuple(
      u32,
      fc.array(u32, { maxLength: 4 }).map((experts) => new Set(experts)),
    ),
    { maxLength: 4 },
  )
  .map((layers) => new Map(layers));

export const cacheChanges: fc.Arbitrary<CacheChanges> = (() => {
  const blockSet = fc.record({ low: u32, high: u32, count: u53 });
  return fc.record({
    events: fc.array(
      fc.record({
        sequence: u53,
        operation: fc.constantFrom("added" as const, "removed" as const),
        kind: fc.constantFrom(...KV_KINDS),
        hashes,
      }),
      { maxLength: 3 },
    ),
    digest: optional(fc.record({ sequence: u53, global: blockSet, local: blockSet })),
  });
})();

export const cacheSnapshotPart: fc.Arbitrary<CacheSnapshotPart> = fc.record({
  sequence: u53,
  kind: fc.constantFrom(...KV_KINDS),
  hashes,
  first: fc.boolean(),
  last: fc.boolean(),
});

export const workerReport: fc.Arbitrary<WorkerReport> = fc.oneof(
  fc.record({ kind: fc.constant("hello" as const), hello: joinHello }),
  fc.record({ kind: fc.constant("status" as const), status: workerStatus }),
  fc.record({ kind: fc.constant("loaded" as const), experts: expertSet }),
  fc.record({ kind: fc.constant("leaving" as const) }),
  fc.record({ kind: fc.constant("cache_changes" as const), changes: cacheChanges }),
  fc.record({ kind: fc.constant("cache_snapshot" as const), part: cacheSnapshotPart }),
);

const endpoint: fc.Arbitrary<WorkerEndpoint> = fc.record({
  workerId: aWorkerId,
  incarnation: fc.string(),
  address: fc.string(),
  draining: fc.boolean(),
});

export const expertMap: fc.Arbitrary<ExpertMap> = fc
  .uniqueArray(endpoint, { selector: ({ workerId }) => workerId, maxLength: 4 })
  .chain((holders) => {
    const ids = fc.subarray(holders.map(({ workerId }) => workerId));
    return fc.record({
      modelId: aModelId,
      epoch: u64,
      complete: fc.boolean(),
      holders: fc.constant(holders),
      experts: fc
        .array(fc.tuple(u32, fc.array(ids, { maxLength: 4 })), { maxLength: 3 })
        .map((layers) => new Map(layers)),
    });
  });

export const drainState: fc.Arbitrary<DrainState> = fc.record({
  drained: fc.boolean(),
  expertsDrained: fc.boolean(),
  obstacle: optionalText,
  expertCount: u32,
  requestCount: u32,
});

export const drainRequest: fc.Arbitrary<DrainRequest> = fc.record({
  workerId: fc.string(),
  undo: fc.boolean(),
  incarnation: optionalText,
});

export const drainReply: fc.Arbitrary<DrainReply> = fc.record({
  incarnation: fc.string(),
  draining: fc.boolean(),
  state: optional(drainState),
});

export const workerOrder: fc.Arbitrary<WorkerOrder> = fc.oneof(
  fc.record({
    kind: fc.constant("accepted" as const),
    leaderEpoch: u64,
    schedulerId: fc.string(),
    heartbeatMs: u32,
  }),
  fc.record({ kind: fc.constant("set_experts" as const), mapEpoch: u64, experts: expertSet }),
  fc.record({ kind: fc.constant("expert_map" as const), map: expertMap }),
  fc.record({ kind: fc.constant("send_cache" as const) }),
  fc.record({ kind: fc.constant("context_workers" as const), workers: fc.array(endpoint, { maxLength: 3 }) }),
  fc.record({ kind: fc.constant("set_drain" as const), wanted: fc.boolean() }),
  fc.record({ kind: fc.constant("drain_state" as const), state: drainState }),
);

export const clusterState: fc.Arbitrary<ClusterState> = fc.record({
  modelId: aModelId,
  schedulerId: fc.string(),
  leaderEpoch: u64,
  workers: fc.array(
    fc.record({
      workerId: aWorkerId,
      incarnation: fc.string(),
      roles,
      address: fc.string(),
      adminAddress: fc.string(),
      kvDtype: optional(kvDtype),
      status: optional(workerStatus),
      expertCount: u32,
      silentMs: u32,
      frozen: fc.boolean(),
      predictedPrefix: prefixCounts,
      indexedBlockCount: u53,
      drain: optional(drainState),
    }),
    { maxLength: 3 },
  ),
  expertMap,
  lanes: fc.array(
    fc.record({ lane, waitingCount: u32, oldestAgeMs: u53, predictedWaitMs: u53, waitMsPerJob: milliseconds }),
    { maxLength: 2 },
  ),
  routerIds: fc.array(aRouterId, { maxLength: 3 }),
  ready: fc.boolean(),
  modelFingerprint: optionalText,
  expertShortage: optionalText,
});

export const watchRequest: fc.Arbitrary<WatchRequest> = fc.record({
  routerId: aRouterId,
  modelId: aModelId,
  address: fc.string(),
  keepsExperts: fc.boolean(),
});

export const placementRecord: fc.Arbitrary<PlacementRecord> = fc.record({
  requestId: aRequestId,
  attempt: u32,
  lane,
  promptTokenCount: u53,
  kind: fc.constantFrom(...PLACEMENT_KINDS),
  workerId: optional(aWorkerId),
  reason: fc.string(),
  firstAtMs: u53,
  lastAtMs: u53,
  times: u32,
  outcome: optionalText,
  candidates: fc.array(
    fc.record({
      workerId: aWorkerId,
      refusal: optional(fc.constantFrom(...CANDIDATE_REFUSALS)),
      time: fc.record({ queueMs: milliseconds, prefillMs: milliseconds, loadMs: milliseconds }),
      cachedTokenCount: u53,
      kvBytesFree: fc.maxSafeInteger(),
    }),
    { maxLength: 3 },
  ),
  candidateCount: u32,
});

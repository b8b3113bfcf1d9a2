// Who is in the fleet.

export type { ClusterState, LaneState, WorkerState } from "./cluster-state.ts";
export type { DrainReply, DrainRequest, DrainState } from "./members/drain-state.ts";
export {
  type ExpertSet,
  loadedCount,
  type Member,
  type ServedCheckpoint,
  type WorkerProfile,
} from "./members/member.ts";
export { type GoneReason, Membership, type MembershipChange } from "./members/membership.ts";
export { type SlowWorker, slowWorkers } from "./members/slow-workers.ts";
export {
  type CardBytes,
  cachedBytes,
  type HotExpert,
  NO_STATUS,
  type PrefixCounts,
  type SlowPeer,
  type WorkerStatus,
} from "./members/worker-status.ts";

// Which worker gets a request, and when it would have its first token.

export { Claims } from "./requests/claims.ts";
export { totalMs } from "./requests/first-token-time.ts";
export { type LaneForecast, LaneWait } from "./requests/lane-wait.ts";
export { PLACEMENT_KINDS, type PlacementRecord } from "./requests/placement-record.ts";
export {
  CANDIDATE_REFUSALS,
  hasRoom,
  type PlaceableRequest,
  type PlacementCandidate,
  type PlacementDecision,
  placeRequest,
  type WorkerCapacity,
} from "./requests/request-placement.ts";
export { Reservations, type Reserved, type ReservedTotal } from "./requests/reservations.ts";

// Which workers have what of a prompt in their caches.

export { sampledBlocks, sampledEnd, sampleHashes } from "./prefixes/block-sample.ts";
export { type ComingPrefix, ComingPrefixes } from "./prefixes/coming-prefixes.ts";
export { type IndexAnswer, PrefixIndex } from "./prefixes/prefix-index.ts";

// Which workers hold which experts.

export type { ActiveExperts, ExpertWorker } from "./experts/active-map.ts";
export type { ExpertRows } from "./experts/expert-heat.ts";
export type { ExpertMap, WorkerEndpoint } from "./experts/expert-map.ts";
export type { ExpertShortage } from "./experts/expert-owners.ts";
export { ExpertPlanner, firstMapEpoch } from "./experts/expert-planner.ts";
export type { ExpertOrder } from "./experts/moved-experts.ts";
export { NO_REPLICAS, type ReplicaPolicy } from "./experts/replica-plan.ts";

// Bounds that others keep to.

export {
  BEGIN_WITHIN_MS,
  GONE_AFTER_MS,
  HEARTBEAT_MS,
  MEMBER_COUNT_MAX,
  MOVED_EXPERT_KEPT_MS,
  REJOIN_WAIT_MS,
} from "./limits.ts";

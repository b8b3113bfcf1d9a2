export type { ActiveExperts, ExpertWorker } from "./experts/active-map.ts";
export type { ExpertOrder } from "./experts/drain.ts";
export type { ExpertShortage } from "./experts/expert-owners.ts";
export { ExpertPlanner, firstMapEpoch } from "./experts/expert-planner.ts";
export { BEGIN_WITHIN_MS, DRAIN_MS, GONE_AFTER_MS, HEARTBEAT_MS, REJOIN_WAIT_MS } from "./limits.ts";
export {
  type LoadedExperts,
  loadedCount,
  type Member,
  ROLES,
  type Role,
  type WorkerProfile,
  type WorkerStatus,
} from "./members/member.ts";
export { type GoneReason, Membership, type MembershipChange } from "./members/membership.ts";
export { sampledBlocks, sampledEnd, sampleHashes } from "./prefixes/block-sample.ts";
export { type ComingPrefix, ComingPrefixes } from "./prefixes/coming-prefixes.ts";
export { type IndexAnswer, PrefixIndex } from "./prefixes/prefix-index.ts";
export { Claims } from "./requests/claims.ts";
export { totalMs } from "./requests/first-token-time.ts";
export { type LaneForecast, LaneWait } from "./requests/lane-wait.ts";
export {
  type Candidate,
  hasRoom,
  type PlaceableRequest,
  type PlacementDecision,
  placeRequest,
  type WorkerCapacity,
} from "./requests/request-placement.ts";
export { Reservations, type Reserved, type ReservedTotal } from "./requests/reservations.ts";

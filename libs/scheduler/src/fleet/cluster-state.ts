import { create } from "@bufbuild/protobuf";
import type { LaneDepth, ModelId, RouterId } from "@drover/core";
import type { LaneForecast } from "@drover/fleet";
import { loadedCount } from "@drover/fleet";
import { type ClusterState, ClusterStateSchema } from "@drover/proto";
import type { Candidates, PredictedPrefix } from "../lanes/candidates.ts";
import type { LaneForecasts } from "../lanes/lane-forecasts.ts";
import { rolesToWire } from "../wire.ts";
import type { Fleet } from "./fleet.ts";
import type { PrefixDirectory } from "./prefix-directory.ts";

export type ClusterStateInput = Readonly<{
  modelId: ModelId;
  schedulerId: string;
  leaderEpoch: bigint;
  fleet: Fleet;
  candidates: Candidates;
  prefixes: PrefixDirectory;
  forecasts: LaneForecasts;
  depths: readonly LaneDepth[];
  routers: readonly RouterId[];
  /** Unix milliseconds, and monotonic ones. */
  wallMs: number;
  nowMs: number;
}>;

/** Every expert has a holder, and some attention worker is ready: a request can be served. */
export function isServing(fleet: Fleet): boolean {
  const attention = fleet.members.some(({ profile, status }) => profile.roles.includes("attention") && status?.ready);
  return fleet.expertMap.complete && attention;
}

const forecastToWire = ({ waitMs, msPerJob }: LaneForecast) => ({
  predictedWaitMs: BigInt(Math.round(waitMs)),
  waitMsPerJob: msPerJob,
});

const prefixToWire = ({ promptTokenCount, cachedTokenCount }: PredictedPrefix) => ({
  promptTokenCount: BigInt(promptTokenCount),
  cachedTokenCount: BigInt(cachedTokenCount),
});

/** What routers get to know, whole. */
export function clusterState(input: ClusterStateInput): ClusterState {
  const { modelId, schedulerId, leaderEpoch, fleet, candidates, prefixes, depths, routers, wallMs, nowMs } = input;
  return create(ClusterStateSchema, {
    modelId,
    schedulerId,
    leaderEpoch,
    expertMap: fleet.expertMap,
    routerIds: [...routers],
    ready: isServing(fleet),
    modelFingerprint: fleet.fingerprint,
    expertShortage: fleet.expertShortage,
    lanes: depths.map(({ lane, waitingCount, oldestEnqueuedAtMs }) => ({
      lane,
      waitingCount,
      oldestAgeMs: BigInt(Math.max(0, Math.round(wallMs - (oldestEnqueuedAtMs ?? wallMs)))),
      ...forecastToWire(input.forecasts.of(lane)),
    })),
    workers: fleet.members.map((member) => {
      const status = fleet.wireStatus(member);
      const drain = fleet.drainState(member);
      return {
        workerId: member.profile.workerId,
        incarnation: member.profile.incarnation,
        roles: rolesToWire(member.profile.roles),
        address: member.profile.address,
        adminAddress: member.profile.adminAddress,
        expertCount: loadedCount(member.loaded),
        predictedPrefix: prefixToWire(candidates.predictedPrefix(member.profile.workerId)),
        indexedBlockCount: BigInt(prefixes.blockCount(member.profile.workerId)),
        kvDtype: fleet.kvDtype(member),
        silentMs: Math.max(0, Math.round(nowMs - member.heardAtMs)),
        ...(status === undefined ? {} : { status }),
        ...(drain === undefined ? {} : { drain }),
      };
    }),
  });
}

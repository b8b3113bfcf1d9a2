import { create } from "@bufbuild/protobuf";
import type { LaneDepth, ModelId, RouterId } from "@drover/core";
import { type ClusterState, ClusterStateSchema } from "@drover/proto";
import type { Fleet } from "./fleet.ts";
import { rolesToWire } from "./wire.ts";

export type ClusterStateInput = Readonly<{
  modelId: ModelId;
  schedulerId: string;
  leaderEpoch: bigint;
  fleet: Fleet;
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

/** What routers get to know, whole. */
export function clusterState(input: ClusterStateInput): ClusterState {
  const { modelId, schedulerId, leaderEpoch, fleet, depths, routers, wallMs, nowMs } = input;
  return create(ClusterStateSchema, {
    modelId,
    schedulerId,
    leaderEpoch,
    expertMap: fleet.expertMap,
    routerIds: [...routers],
    ready: isServing(fleet),
    lanes: depths.map(({ lane, waitingCount, oldestEnqueuedAtMs }) => ({
      lane,
      waitingCount,
      oldestAgeMs: BigInt(Math.max(0, Math.round(wallMs - (oldestEnqueuedAtMs ?? wallMs)))),
    })),
    workers: fleet.members.map((member) => {
      const status = fleet.wireStatus(member);
      return {
        workerId: member.profile.workerId,
        incarnation: member.profile.incarnation,
        roles: rolesToWire(member.profile.roles),
        address: member.profile.address,
        adminAddress: member.profile.adminAddress,
        expertCount: [...(member.loaded?.values() ?? [])].reduce((sum, { size }) => sum + size, 0),
        silentMs: Math.max(0, Math.round(nowMs - member.heardAtMs)),
        ...(status === undefined ? {} : { status }),
      };
    }),
  });
}

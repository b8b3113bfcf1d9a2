import type { LaneDepth, ModelId, RouterId } from "@drover/core";
import { type ClusterState, type LaneState, loadedCount, type Member, type WorkerState } from "@drover/fleet";
import type { Capacities } from "../lanes/capacities.ts";
import type { LaneForecasts } from "../lanes/lane-forecasts.ts";
import type { Fleet } from "./fleet.ts";
import type { PrefixDirectory } from "./prefix-directory.ts";

export type ClusterStateInput = Readonly<{
  modelId: ModelId;
  schedulerId: string;
  leaderEpoch: bigint;
  fleet: Fleet;
  capacities: Capacities;
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

/** What routers get to know, whole. */
export function clusterState(input: ClusterStateInput): ClusterState {
  const { modelId, schedulerId, leaderEpoch, fleet, depths, routers } = input;
  return {
    modelId,
    schedulerId,
    leaderEpoch,
    expertMap: fleet.expertMap,
    routerIds: routers,
    ready: isServing(fleet),
    modelFingerprint: fleet.fingerprint,
    expertShortage: fleet.expertShortage,
    lanes: depths.map((depth) => laneState(depth, input)),
    workers: fleet.members.map((member) => workerState(member, input)),
  };
}

function laneState(
  { lane, waitingCount, oldestEnqueuedAtMs }: LaneDepth,
  { forecasts, wallMs }: ClusterStateInput,
): LaneState {
  const { waitMs, msPerJob } = forecasts.of(lane);
  return {
    lane,
    waitingCount,
    oldestAgeMs: Math.max(0, Math.round(wallMs - (oldestEnqueuedAtMs ?? wallMs))),
    predictedWaitMs: Math.round(waitMs),
    waitMsPerJob: msPerJob,
  };
}

function workerState(member: Member, { fleet, capacities, prefixes, nowMs }: ClusterStateInput): WorkerState {
  const { workerId, incarnation, roles, address, adminAddress, kvDtype } = member.profile;
  return {
    workerId,
    incarnation,
    roles,
    address,
    adminAddress,
    kvDtype,
    status: member.status,
    expertCount: loadedCount(member.loaded),
    silentMs: Math.max(0, Math.round(nowMs - member.heardAtMs)),
    frozen: member.frozen,
    predictedPrefix: capacities.predictedPrefix(workerId),
    indexedBlockCount: prefixes.blockCount(workerId),
    drain: fleet.drainState(member),
  };
}

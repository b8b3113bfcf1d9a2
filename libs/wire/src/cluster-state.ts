import { create } from "@bufbuild/protobuf";
import { LANES, modelId, routerId, workerId } from "@drover/core";
import type { ClusterState, LaneState, WorkerState } from "@drover/fleet";
import {
  ClusterStateSchema,
  type LaneState as LaneMessage,
  LaneStateSchema,
  type ClusterState as Message,
  type WorkerState as WorkerMessage,
  WorkerStateSchema,
} from "@drover/proto";
import { drainStateFromWire, drainStateToWire } from "./drain-state.ts";
import { expertMapFromWire, expertMapToWire } from "./expert-map.ts";
import { kvDtypeFromWire } from "./kv-dtype.ts";
import { numberFromWire } from "./numbers.ts";
import { nameFromWire, textFromWire } from "./text.ts";
import { wireFault } from "./wire-fault.ts";
import { workerRolesFromWire, workerRolesToWire } from "./worker-role.ts";
import { prefixCountsFromWire, prefixCountsToWire, workerStatusFromWire, workerStatusToWire } from "./worker-status.ts";
import { writtenOnce } from "./written-once.ts";

export const clusterStateToWire = writtenOnce((state: ClusterState): Message => {
  const { workers, expertMap, lanes, routerIds, modelFingerprint = "", expertShortage = "", ...same } = state;
  return create(ClusterStateSchema, {
    ...same,
    workers: workers.map(workerStateToWire),
    expertMap: expertMapToWire(expertMap),
    lanes: lanes.map(laneStateToWire),
    routerIds: [...routerIds],
    modelFingerprint,
    expertShortage,
  });
});

/** The state without the experts' holders, for who was told of them. */
const withoutExpertsToWire = writtenOnce(({ expertMap, ...state }: ClusterState): Message => {
  const { modelId, epoch, complete } = expertMap;
  const message = clusterStateToWire({ ...state, expertMap: { modelId, epoch, complete, holders: [], experts: NONE } });
  message.sameExperts = true;
  return message;
});
const NONE: ClusterState["expertMap"]["experts"] = new Map();

/** Writes the states of one stream. The expert map is most of a state and seldom another one: it is told when it is. */
export class ClusterStateWriter {
  #told: ClusterState["expertMap"] | undefined;

  /** `whole` where what was written last may never leave, or who reads keeps nothing. */
  write(state: ClusterState, { whole }: Readonly<{ whole: boolean }>): Message {
    if (!whole && state.expertMap === this.#told) return withoutExpertsToWire(state);
    this.#told = state.expertMap;
    return clusterStateToWire(state);
  }
}

/** Reads the states of streams, one after the other. */
export class ClusterStateReader {
  #experts: ClusterState["expertMap"] | undefined;

  /** Errors: as {@link clusterStateFromWire}, and for a stream that has not told its expert map. */
  read(message: Message): ClusterState {
    const state = clusterStateFromWire(message);
    if (message.sameExperts) {
      const experts = this.#experts;
      if (experts?.epoch !== state.expertMap.epoch)
        throw wireFault("same_experts", "refers to a map that was not told");
      return { ...state, expertMap: experts };
    }
    this.#experts = state.expertMap;
    return state;
  }
}

/** Errors: `invalid_argument`, naming the field. */
export function clusterStateFromWire(message: Message): ClusterState {
  const { schedulerId, leaderEpoch, expertMap, ready } = message;
  if (expertMap === undefined) throw wireFault("expert_map", "is missing");
  return {
    modelId: modelId(message.modelId),
    schedulerId,
    leaderEpoch,
    workers: message.workers.map(workerStateFromWire),
    expertMap: expertMapFromWire(expertMap),
    lanes: message.lanes.map(laneStateFromWire),
    routerIds: message.routerIds.map(routerId),
    ready,
    modelFingerprint: textFromWire(message.modelFingerprint),
    expertShortage: textFromWire(message.expertShortage),
  };
}

function workerStateToWire(worker: WorkerState): WorkerMessage {
  const { roles, kvDtype = "", status, predictedPrefix, indexedBlockCount, drain, ...same } = worker;
  return create(WorkerStateSchema, {
    ...same,
    roles: workerRolesToWire(roles),
    kvDtype,
    ...(status && { status: workerStatusToWire(status) }),
    predictedPrefix: prefixCountsToWire(predictedPrefix),
    indexedBlockCount: BigInt(indexedBlockCount),
    ...(drain && { drain: drainStateToWire(drain) }),
  });
}

function workerStateFromWire(message: WorkerMessage): WorkerState {
  const { incarnation, address, adminAddress, status, expertCount, silentMs, drain, frozen } = message;
  return {
    workerId: workerId(message.workerId),
    incarnation,
    roles: workerRolesFromWire(message.roles, "workers.roles"),
    address,
    adminAddress,
    kvDtype: kvDtypeFromWire(message.kvDtype, "workers.kv_dtype"),
    status: status && workerStatusFromWire(status),
    expertCount,
    silentMs,
    frozen,
    predictedPrefix: prefixCountsFromWire(message.predictedPrefix, "workers.predicted_prefix"),
    indexedBlockCount: numberFromWire(message.indexedBlockCount, "workers.indexed_block_count"),
    drain: drain && drainStateFromWire(drain),
  };
}

function laneStateToWire({ oldestAgeMs, predictedWaitMs, ...same }: LaneState): LaneMessage {
  return create(LaneStateSchema, {
    ...same,
    oldestAgeMs: BigInt(oldestAgeMs),
    predictedWaitMs: BigInt(predictedWaitMs),
  });
}

function laneStateFromWire({ lane, waitingCount, oldestAgeMs, predictedWaitMs, waitMsPerJob }: LaneMessage): LaneState {
  return {
    lane: nameFromWire(LANES, lane, "lanes.lane"),
    waitingCount,
    oldestAgeMs: numberFromWire(oldestAgeMs, "lanes.oldest_age_ms"),
    predictedWaitMs: numberFromWire(predictedWaitMs, "lanes.predicted_wait_ms"),
    waitMsPerJob,
  };
}

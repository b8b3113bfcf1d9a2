import { create } from "@bufbuild/protobuf";
import { assertNever } from "@drover/core";
import type { DrainState, ExpertMap, ExpertSet, WorkerEndpoint } from "@drover/fleet";
import {
  ContextWorkersSchema,
  JoinAcceptedSchema,
  type WorkerOrder as Message,
  SendCacheSchema,
  SetDrainSchema,
  SetExpertsSchema,
  WorkerOrderSchema,
} from "@drover/proto";
import { drainStateFromWire, drainStateToWire } from "./drain-state.ts";
import { expertMapFromWire, expertMapToWire } from "./expert-map.ts";
import { layerExpertsFromWire, layerExpertsToWire } from "./layer-experts.ts";
import { workerEndpointFromWire, workerEndpointToWire } from "./worker-endpoint.ts";

/** What the leading scheduler tells a worker. Of each kind only the newest matters. */
export type WorkerOrder =
  /** First: the worker is among the leader's own, and reports at least every `heartbeatMs`. */
  | Readonly<{ kind: "accepted"; leaderEpoch: bigint; schedulerId: string; heartbeatMs: number }>
  /** Hold these experts and no others; unload what nobody needs any more. */
  | Readonly<{ kind: "set_experts"; mapEpoch: bigint; experts: ExpertSet }>
  | Readonly<{ kind: "expert_map"; map: ExpertMap }>
  /** Send a snapshot of the prefix cache: what the leader knows of it is not exact any more. */
  | Readonly<{ kind: "send_cache" }>
  /** All workers that hold stripes of long contexts. */
  | Readonly<{ kind: "context_workers"; workers: readonly WorkerEndpoint[] }>
  /** A person wants the worker to drain, or wants it back. */
  | Readonly<{ kind: "set_drain"; wanted: boolean }>
  /** How far the worker is, while it drains. */
  | Readonly<{ kind: "drain_state"; state: DrainState }>;

export function workerOrderToWire(order: WorkerOrder): Message {
  const message = create(WorkerOrderSchema);
  message.order = orderToWire(order);
  return message;
}

function orderToWire(order: WorkerOrder): Message["order"] {
  switch (order.kind) {
    case "accepted": {
      const { leaderEpoch, schedulerId, heartbeatMs } = order;
      return { case: "accepted", value: create(JoinAcceptedSchema, { leaderEpoch, schedulerId, heartbeatMs }) };
    }
    case "set_experts": {
      const { mapEpoch, experts } = order;
      return { case: "setExperts", value: create(SetExpertsSchema, { mapEpoch, layers: layerExpertsToWire(experts) }) };
    }
    case "expert_map":
      return { case: "expertMap", value: expertMapToWire(order.map) };
    case "send_cache":
      return { case: "sendCache", value: create(SendCacheSchema) };
    case "context_workers":
      return {
        case: "contextWorkers",
        value: create(ContextWorkersSchema, { holders: order.workers.map(workerEndpointToWire) }),
      };
    case "set_drain":
      return { case: "setDrain", value: create(SetDrainSchema, { wanted: order.wanted }) };
    case "drain_state":
      return { case: "drainState", value: drainStateToWire(order.state) };
    default:
      return assertNever(order);
  }
}

/** Undefined for an order that only later builds know: it is passed over. Errors: `invalid_argument`, naming the field. */
export function workerOrderFromWire({ order }: Message): WorkerOrder | undefined {
  switch (order.case) {
    case "accepted": {
      const { leaderEpoch, schedulerId, heartbeatMs } = order.value;
      return { kind: "accepted", leaderEpoch, schedulerId, heartbeatMs };
    }
    case "setExperts": {
      const { mapEpoch, layers } = order.value;
      return { kind: "set_experts", mapEpoch, experts: layerExpertsFromWire(layers, "set_experts.layers") };
    }
    case "expertMap":
      return { kind: "expert_map", map: expertMapFromWire(order.value) };
    case "sendCache":
      return { kind: "send_cache" };
    case "contextWorkers":
      return { kind: "context_workers", workers: order.value.holders.map(workerEndpointFromWire) };
    case "setDrain":
      return { kind: "set_drain", wanted: order.value.wanted };
    case "drainState":
      return { kind: "drain_state", state: drainStateFromWire(order.value) };
    case undefined:
      return undefined;
    default:
      return assertNever(order);
  }
}

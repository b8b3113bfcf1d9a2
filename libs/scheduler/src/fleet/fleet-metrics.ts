import { WORKER_ROLES } from "@drover/core";
import type { ExpertMap, GoneReason, Member } from "@drover/fleet";
import type { Metrics } from "@drover/telemetry";

/** What a member can do now. `ready` takes work; `suspected` was silent for too long; a worker that leaves or drains takes nothing new. */
const STATES = ["ready", "starting", "suspected", "draining"] as const;
type MemberState = (typeof STATES)[number];

const GONE_REASONS: readonly GoneReason[] = ["disconnected", "silent", "replaced"];

/** What the leader knows of workers, routers and the expert map. */
export class FleetMetrics {
  readonly #workers;
  readonly #gone;
  readonly #routers;
  readonly #mapEpoch;
  readonly #mapComplete;
  readonly #withoutHolder;
  readonly #withoutRoom;

  constructor(metrics: Metrics) {
    this.#workers = metrics.gauge("drover_scheduler_workers", "Workers that are members, by role and state", [
      "role",
      "state",
    ]);
    this.#gone = metrics.counter("drover_scheduler_workers_gone_total", "Workers that ceased to be members", [
      "reason",
    ]);
    this.#routers = metrics.gauge("drover_scheduler_routers", "Routers that watch the cluster", []);
    this.#mapEpoch = metrics.gauge("drover_scheduler_map_epoch", "Epoch of the active expert map", []);
    this.#mapComplete = metrics.gauge("drover_scheduler_map_complete", "1 when every expert has a holder", []);
    this.#withoutHolder = metrics.gauge(
      "drover_scheduler_experts_without_holder",
      "Experts of all layers that no worker has in memory",
      [],
    );
    this.#withoutRoom = metrics.gauge(
      "drover_scheduler_experts_without_room",
      "Experts of all layers for which the workers that stay have no memory",
      [],
    );
    for (const reason of GONE_REASONS) this.#gone.inc({ reason }, 0);
  }

  /** `withoutRoomCount`: experts that the plan finds no memory for, so that a worker that would go cannot. */
  note(members: readonly Member[], routerCount: number, map: ExpertMap, withoutRoomCount: number): void {
    for (const role of WORKER_ROLES) {
      const states = members.filter((member) => member.profile.roles.includes(role)).map(stateOf);
      for (const state of STATES) {
        this.#workers.set({ role, state }, states.filter((one) => one === state).length);
      }
    }
    this.#routers.set(routerCount);
    this.#mapEpoch.set(Number(map.epoch));
    this.#mapComplete.set(map.complete ? 1 : 0);
    this.#withoutHolder.set(expertsWithoutHolder(map));
    this.#withoutRoom.set(withoutRoomCount);
  }

  gone(reason: GoneReason): void {
    this.#gone.inc({ reason });
  }

  /** Nothing is known any more. */
  reset(): void {
    for (const gauge of [
      this.#workers,
      this.#routers,
      this.#mapEpoch,
      this.#mapComplete,
      this.#withoutHolder,
      this.#withoutRoom,
    ])
      gauge.reset();
  }
}

function stateOf({ suspected, leaving, status }: Member): MemberState {
  if (suspected) return "suspected";
  if (leaving || status?.draining === true) return "draining";
  return status?.ready === true ? "ready" : "starting";
}

function expertsWithoutHolder({ experts }: ExpertMap): number {
  let count = 0;
  for (const ofLayer of experts.values()) count += ofLayer.filter((holders) => holders.length === 0).length;
  return count;
}

import type { WorkerId } from "@drover/core";
import { EXPERT_GRACE_MS, MAP_EPOCHS_PER_LEADER, STAND_IN_MS } from "../limits.ts";
import {
  type ActiveExperts,
  activeExperts,
  assignmentFromLoaded,
  type ExpertWorker,
  isComplete,
} from "./active-map.ts";
import { type ExpertAssignment, planExpertMap } from "./expert-assignment.ts";
import { type ExpertHolders, ownersAmong, planCopies } from "./expert-copies.ts";
import { ExpertHeat, type ExpertRows } from "./expert-heat.ts";
import { expertOrder } from "./expert-order.ts";
import { chooseOwners, type ExpertShortage, roomOf } from "./expert-owners.ts";
import { firstPlanDueMs } from "./first-plan.ts";
import { type ExpertOrder, MovedExperts } from "./moved-experts.ts";
import { NO_REPLICAS, ReplicaPlan, type ReplicaPolicy } from "./replica-plan.ts";

export type ExpertPlannerOptions = Readonly<{
  layers: readonly number[];
  expertCount: number;
  /** The first plan waits for so many expert workers. */
  expectExperts: number;
  /** Epochs rise from here: `firstMapEpoch` of the leader. */
  epoch: bigint;
  graceMs?: number;
  /** What copies there are to be; none unless given. */
  replicas?: ReplicaPolicy;
  /** Weights of one expert; what is copied for the heat's sake is bounded by it. */
  expertParameters?: number | undefined;
}>;

export type PlannerUpdate = Readonly<{
  mapChanged: boolean;
  /** New orders, by worker: the whole set that it should hold from now on. */
  orders: ReadonlyMap<WorkerId, ExpertOrder>;
}>;

/** Below every map epoch of this leader, and above all of its predecessors'. */
export function firstMapEpoch(leaderEpoch: bigint): bigint {
  return leaderEpoch * BigInt(MAP_EPOCHS_PER_LEADER);
}

/**
 * The expert map over time. Desired: every expert has one owner, changed only when the set of owners changes, where a lost
 * worker stays an owner for its grace, and one that is lost or wants to end as long as the others lack memory for its share; and as many copies as are
 * wanted, or one while its owner is away; who is away for longer has others stand in for it. Active: who really answers, by what workers report as loaded. Orders: what a worker is
 * to hold, which is its share and whatever the active map still needs from it.
 */
export class ExpertPlanner {
  readonly #options: ExpertPlannerOptions;
  readonly #graceMs: number;
  readonly #moved = new MovedExperts();
  readonly #lostAtMs = new Map<WorkerId, number>();
  /** Owners that are lost or silent, and since when. */
  readonly #awaySinceMs = new Map<WorkerId, number>();
  #firstJoinedAtMs = Number.POSITIVE_INFINITY;
  #owners: readonly WorkerId[] = [];
  /** Owners and what they can hold. */
  #ownersKey = "";
  #room = new Map<WorkerId, number>();
  #shortage: ExpertShortage | undefined;
  readonly #heat: ExpertHeat;
  readonly #replicas: ReplicaPlan;
  #assignment: ExpertAssignment = new Map();
  #desired: ExpertHolders = new Map();
  #active: ActiveExperts = new Map();
  #activeKey = "";
  #orderKeys = new Map<WorkerId, string>();
  #epoch: bigint;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(options: ExpertPlannerOptions) {
    this.#options = options;
    this.#graceMs = options.graceMs ?? EXPERT_GRACE_MS;
    this.#epoch = options.epoch;
    this.#replicas = new ReplicaPlan(options.replicas ?? NO_REPLICAS);
    this.#heat = new ExpertHeat(options.expertCount);
    this.#active = activeExperts(new Map(), [], options.layers, options.expertCount);
  }

  /** Rises with every change of the active map, over leaders too. */
  get epoch(): bigint {
    return this.#epoch;
  }

  /** Who is to hold each expert, its owner first. */
  get desired(): ExpertHolders {
    return this.#desired;
  }

  get active(): ActiveExperts {
    return this.#active;
  }

  /** Every expert has somebody who answers for it. */
  get complete(): boolean {
    return isComplete(this.#active);
  }

  /** What memory forbids now; undefined when it forbids nothing. */
  get shortage(): ExpertShortage | undefined {
    return this.#shortage;
  }

  /** The worker owns nothing, now and as planned: it may end, once it has nothing loaded. */
  isRelieved(worker: WorkerId): boolean {
    return !this.#owners.includes(worker);
  }

  /** When `update` must be called though nothing was reported. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Learns how many rows experts were asked for since the last time. What is planned follows with the next `update`. */
  observe(rows: ExpertRows, now: number): void {
    this.#heat.add(rows, now);
    if (this.#replicas.dueMs <= now) this.#due(now);
  }

  /** Takes the present expert workers as they are now. To be called after every change of theirs, and at `dueMs`. */
  update(workers: readonly ExpertWorker[], now: number): PlannerUpdate {
    this.#dueMs = Number.POSITIVE_INFINITY;
    const before = this.#active;
    this.#plan(workers, now);
    this.#copy(workers, now);
    const mapChanged = this.#activate(workers);
    this.#moved.observe(workers, before, this.#active, now);
    return { mapChanged, orders: this.#changedOrders(workers, now) };
  }

  #plan(workers: readonly ExpertWorker[], now: number): void {
    const { layers, expertCount, expectExperts } = this.#options;
    for (const { joinedAtMs } of workers) this.#firstJoinedAtMs = Math.min(this.#firstJoinedAtMs, joinedAtMs);
    if (this.#owners.length === 0) {
      const active = activeExperts(this.#desired, workers, layers, expertCount);
      const dueMs = firstPlanDueMs(workers, active, expectExperts, this.#firstJoinedAtMs);
      if (now < dueMs) {
        this.#due(dueMs);
        return;
      }
    }
    const stay = this.#staying(workers, now);
    if (stay.length === 0 && workers.length === 0) this.#restart();
    const present = new Set(workers.map(({ workerId }) => workerId));
    for (const [worker, count] of roomOf(workers)) this.#room.set(worker, count);
    for (const { workerId, expertCountMax } of workers)
      if (!Number.isFinite(expertCountMax)) this.#room.delete(workerId);
    const { owners, shortage } = chooseOwners(stay, this.#owners, present, layers.length * expertCount, this.#room);
    this.#shortage = workers.length === 0 ? undefined : shortage;
    const key = JSON.stringify(owners.map((worker) => [worker, this.#room.get(worker)]));
    if (owners.length === 0 || key === this.#ownersKey) return;
    const previous =
      this.#desired.size > 0
        ? ownersAmong(this.#desired, new Set(owners))
        : assignmentFromLoaded(workers, layers, expertCount);
    this.#assignment = planExpertMap(previous, owners, layers, expertCount, this.#room);
    this.#owners = owners;
    this.#ownersKey = key;
    for (const known of [this.#lostAtMs, this.#room])
      for (const worker of known.keys()) if (!owners.includes(worker) && !present.has(worker)) known.delete(worker);
  }

  /** Holders beside the owners. What fits nowhere while its owner is away is a shortage too. */
  #copy(workers: readonly ExpertWorker[], now: number): void {
    if (this.#owners.length === 0) return;
    this.#replicas.plan(this.#assignment, this.#heat, this.#options.expertParameters, now);
    if (this.#replicas.dueMs > now) this.#due(this.#replicas.dueMs);
    const byId = new Map(workers.map((worker) => [worker.workerId, worker]));
    const members = new Set(this.#owners);
    const speaking = workers.filter(({ suspected }) => !suspected);
    const takers = speaking.filter(({ workerId, leaving, draining }) => members.has(workerId) && !leaving && !draining);
    const answering = new Set(speaking.map(({ workerId }) => workerId));
    const away = this.#awayLong(answering, now);
    const { holders, orphanCount } = planCopies({
      owners: this.#assignment,
      earlier: this.#desired,
      members,
      takers: takers.map(({ workerId }) => workerId),
      room: this.#room,
      heat: this.#heat,
      wanted: (layer, expert) => this.#replicas.wanted(layer, expert),
      answers: (worker) => answering.has(worker),
      isAway: (worker) => away.has(worker),
      isLoaded: (worker, layer, expert) => byId.get(worker)?.loaded?.get(layer)?.has(expert) ?? false,
    });
    this.#desired = holders;
    if (orphanCount === 0 || workers.length === 0) return;
    const keeps = this.#owners.filter((owner) => !answering.has(owner));
    this.#shortage ??= { missingCount: orphanCount, stayCount: takers.length, keeps };
  }

  /** Owners that have not answered for so long that others stand in for them. */
  #awayLong(answering: ReadonlySet<WorkerId>, now: number): ReadonlySet<WorkerId> {
    for (const worker of this.#awaySinceMs.keys())
      if (answering.has(worker) || !this.#owners.includes(worker)) this.#awaySinceMs.delete(worker);
    const away = new Set<WorkerId>();
    for (const owner of this.#owners) {
      if (answering.has(owner)) continue;
      const sinceMs = this.#awaySinceMs.get(owner) ?? now;
      this.#awaySinceMs.set(owner, sinceMs);
      if (now - sinceMs >= STAND_IN_MS) away.add(owner);
      else if (this.#replicas.copies) this.#due(sinceMs + STAND_IN_MS);
    }
    return away;
  }

  /** The whole fleet is lost: who comes back is waited for as at the start, and each has its own experts again. */
  #restart(): void {
    this.#owners = [];
    this.#ownersKey = "";
    this.#desired = new Map([...this.#assignment].map(([layer, owners]) => [layer, owners.map((owner) => [owner])]));
    this.#lostAtMs.clear();
    this.#firstJoinedAtMs = Number.POSITIVE_INFINITY;
  }

  /** Present workers that stay, and owners that were lost less than the grace ago. */
  #staying(workers: readonly ExpertWorker[], now: number): readonly WorkerId[] {
    const present = new Set(workers.map((worker) => worker.workerId));
    for (const worker of present) this.#lostAtMs.delete(worker);
    const staying = workers.filter(({ leaving, draining }) => !leaving && !draining).map(({ workerId }) => workerId);
    for (const owner of this.#owners) {
      if (present.has(owner)) continue;
      const lostAtMs = this.#lostAtMs.get(owner) ?? now;
      this.#lostAtMs.set(owner, lostAtMs);
      if (now - lostAtMs >= this.#graceMs) continue;
      this.#due(lostAtMs + this.#graceMs);
      staying.push(owner);
    }
    return staying;
  }

  #activate(workers: readonly ExpertWorker[]): boolean {
    const { layers, expertCount } = this.#options;
    this.#active = activeExperts(this.#desired, workers, layers, expertCount);
    const lives = workers.map(({ workerId, incarnation, address }) => `${workerId} ${incarnation} ${address}`);
    const named = new Set([...this.#active.values()].flat(2));
    const key = JSON.stringify([
      lives.filter((_, i) => named.has(workers[i]?.workerId ?? ("" as WorkerId))).sort(),
      [...this.#active],
    ]);
    if (key === this.#activeKey) return false;
    const first = this.#activeKey === "";
    this.#activeKey = key;
    // A map that names nobody yet is no change from having none.
    if (first && named.size === 0) return false;
    this.#epoch += 1n;
    return true;
  }

  /** None before the first plan: what a worker of an earlier leader holds is not to be touched until all are there. */
  #changedOrders(workers: readonly ExpertWorker[], now: number): ReadonlyMap<WorkerId, ExpertOrder> {
    const changed = new Map<WorkerId, ExpertOrder>();
    if (this.#owners.length === 0) return changed;
    const keys = new Map<WorkerId, string>();
    for (const worker of workers) {
      const order = this.#order(worker, now);
      // What the order names; that its experts' heat has changed is no reason to send it again.
      const named = [...order].map(([layer, experts]) => [layer, experts.toSorted((a, b) => a - b)]);
      const key = JSON.stringify([worker.session, named]);
      keys.set(worker.workerId, key);
      if (this.#orderKeys.get(worker.workerId) !== key) changed.set(worker.workerId, order);
    }
    this.#orderKeys = keys;
    return changed;
  }

  #order(worker: ExpertWorker, now: number): ExpertOrder {
    const { layers, expertCount } = this.#options;
    const isOwned = (layer: number, expert: number) =>
      this.#desired.get(layer)?.[expert]?.includes(worker.workerId) ?? false;
    const isNeeded = (layer: number, expert: number) => this.#stillNeeded(worker, layer, expert, now);
    return expertOrder(worker, layers, expertCount, isOwned, isNeeded, this.#heat);
  }

  #stillNeeded(worker: ExpertWorker, layer: number, expert: number, now: number): boolean {
    if (!worker.loaded?.get(layer)?.has(expert)) return false;
    if (this.#active.get(layer)?.[expert]?.includes(worker.workerId)) return true;
    const untilMs = this.#moved.keepsUntilMs(worker.workerId, layer, expert);
    if (now >= untilMs) return false;
    this.#due(untilMs);
    return true;
  }

  #due(atMs: number): void {
    this.#dueMs = Math.min(this.#dueMs, atMs);
  }
}

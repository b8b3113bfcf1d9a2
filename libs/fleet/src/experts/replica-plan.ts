import { at, type WorkerId } from "@drover/core";
import {
  HEAT_GAIN_MIN,
  HEAT_ROWS_PER_EXPERT,
  REPLICA_BYTES_PER_PLAN,
  REPLICA_PLAN_MS,
  WEIGHT_BYTES,
} from "../limits.ts";
import type { ExpertAssignment } from "./expert-assignment.ts";
import { grantCopies } from "./expert-grants.ts";
import type { ExpertHeat } from "./expert-heat.ts";

/** What copies of experts are kept for. */
export type ReplicaPolicy = Readonly<{
  /** Workers that hold each expert at least, where memory allows it. */
  holdersMin: number;
  /** Copies of each layer's hot experts beside that, over all workers. */
  spareCount: number;
}>;

/** Every expert once. */
export const NO_REPLICAS: ReplicaPolicy = { holdersMin: 1, spareCount: 0 };

/**
 * How many holders each expert is to have, over time. Copies follow the heat slowly: looked at every {@link REPLICA_PLAN_MS}, one is taken from a cold expert only for another that is
 * asked for clearly more, and no more of them than {@link REPLICA_BYTES_PER_PLAN} bytes of weights. Nothing is copied before a layer's rows say anything.
 */
export class ReplicaPlan {
  readonly #policy: ReplicaPolicy;
  readonly #grants = new Map<number, number[]>();
  #plannedAtMs = Number.NEGATIVE_INFINITY;

  constructor(policy: ReplicaPolicy) {
    this.#policy = policy;
  }

  /** Whether any expert is to have more than one holder. */
  get copies(): boolean {
    return this.#policy.holdersMin > 1 || this.#policy.spareCount > 0;
  }

  /** When `plan` has something to do; Infinity where no copies are to follow the heat. */
  get dueMs(): number {
    return this.#policy.spareCount === 0 ? Number.POSITIVE_INFINITY : this.#plannedAtMs + REPLICA_PLAN_MS;
  }

  /** How many workers are to hold the expert. */
  wanted(layer: number, expert: number): number {
    const grants = this.#grants.get(layer);
    return this.#policy.holdersMin + (grants === undefined ? 0 : at(grants, expert));
  }

  /** Adapts the copies to the heat, where that is due. `expertParameters`: weights of one expert; undefined where nobody has said. */
  plan(owners: ExpertAssignment, heat: ExpertHeat, expertParameters: number | undefined, now: number): void {
    if (now < this.dueMs || owners.size === 0) return;
    let left = movesMax(expertParameters);
    let isMeasured = false;
    for (const [layer, ofLayer] of owners) {
      if (heat.rowCount(layer) < HEAT_ROWS_PER_EXPERT * ofLayer.length) continue;
      isMeasured = true;
      left -= this.#adapt(layer, ofLayer, heat, left);
    }
    if (isMeasured) this.#plannedAtMs = now;
  }

  /** Returns how many copies it has ordered. */
  #adapt(layer: number, owners: readonly WorkerId[], heat: ExpertHeat, movesLeft: number): number {
    const workers = [...new Set(owners)].sort();
    const parts = owners.map((_, expert) => heat.of(layer, expert));
    const { holdersMin, spareCount } = this.#policy;
    const ideal = grantCopies({
      heat: parts,
      owners: owners.map((owner) => workers.indexOf(owner)),
      workerCount: workers.length,
      heldTwice: holdersMin - 1,
      spareCount,
    });
    const grants = this.#grants.get(layer) ?? owners.map(() => 0);
    this.#grants.set(layer, grants);
    const byHeat = owners.map((_, expert) => expert).sort((a, b) => at(parts, b) - at(parts, a));
    const share = (expert: number) => at(parts, expert) / (holdersMin + at(grants, expert));
    let total = grants.reduce((sum, count) => sum + count, 0);
    let moves = 0;
    for (const expert of byHeat) {
      while (at(grants, expert) < at(ideal, expert) && moves < movesLeft) {
        if (total >= spareCount) {
          const surplus = byHeat.filter((other) => at(grants, other) > at(ideal, other));
          const coldest = surplus.reduce<number | undefined>(
            (cold, other) => (cold === undefined || share(other) < share(cold) ? other : cold),
            undefined,
          );
          if (coldest === undefined || share(expert) < HEAT_GAIN_MIN * share(coldest)) break;
          grants[coldest] = at(grants, coldest) - 1;
          total -= 1;
        }
        grants[expert] = at(grants, expert) + 1;
        total += 1;
        moves += 1;
      }
    }
    return moves;
  }
}

/** Copies that one plan may order, of all layers together. */
function movesMax(expertParameters: number | undefined): number {
  return expertParameters === undefined
    ? 1
    : Math.max(1, Math.floor(REPLICA_BYTES_PER_PLAN / (expertParameters * WEIGHT_BYTES)));
}

import { assert, type WorkerId } from "@drover/core";
import type { ExpertRoom } from "./expert-assignment.ts";
import type { ExpertHeat } from "./expert-heat.ts";

/** What workers hold while copies are placed: how many experts, and which part of each layer's rows would come to them. */
export class LayerLoads {
  readonly #room: ExpertRoom;
  readonly #heat: ExpertHeat;
  readonly #answers: (worker: WorkerId) => boolean;
  readonly #counts = new Map<WorkerId, number>();
  readonly #loads = new Map<number, Map<WorkerId, number>>();

  constructor(room: ExpertRoom, heat: ExpertHeat, answers: (worker: WorkerId) => boolean) {
    this.#answers = answers;
    this.#room = room;
    this.#heat = heat;
  }

  /** The expert's rows go in equal parts to those of its holders that answer. */
  add(layer: number, expert: number, holders: readonly WorkerId[]): void {
    this.#change(layer, expert, holders, 1);
  }

  /** Takes back what `add` did with the same holders. */
  remove(layer: number, expert: number, holders: readonly WorkerId[]): void {
    this.#change(layer, expert, holders, -1);
  }

  /** The worker with room for one more that has the smallest part of the layer's rows, then the fewest experts; ties by order. */
  leastLoaded(layer: number, workers: readonly WorkerId[]): WorkerId | undefined {
    const loads = this.#loads.get(layer);
    let best: WorkerId | undefined;
    for (const worker of workers) {
      if (!this.hasRoom(worker)) continue;
      if (best === undefined || this.#isLess(loads, worker, best)) best = worker;
    }
    return best;
  }

  /** Whether the worker's memory holds one more expert. */
  hasRoom(worker: WorkerId): boolean {
    return this.#count(worker) < (this.#room.get(worker) ?? Number.POSITIVE_INFINITY);
  }

  #isLess(loads: ReadonlyMap<WorkerId, number> | undefined, a: WorkerId, b: WorkerId): boolean {
    const less = (loads?.get(a) ?? 0) - (loads?.get(b) ?? 0);
    // Sums of thirds and quarters that were added in different orders are the same.
    if (Math.abs(less) > 1e-9) return less < 0;
    return this.#count(a) < this.#count(b);
  }

  #count(worker: WorkerId): number {
    return this.#counts.get(worker) ?? 0;
  }

  #change(layer: number, expert: number, holders: readonly WorkerId[], sign: 1 | -1): void {
    assert(holders.length > 0, "an expert has an owner");
    const loads = this.#loads.get(layer) ?? new Map<WorkerId, number>();
    this.#loads.set(layer, loads);
    const answering = holders.filter(this.#answers);
    const part = (sign * this.#heat.of(layer, expert)) / answering.length;
    for (const worker of answering) loads.set(worker, (loads.get(worker) ?? 0) + part);
    for (const worker of holders) this.#counts.set(worker, this.#count(worker) + sign);
  }
}

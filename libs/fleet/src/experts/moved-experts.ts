import type { WorkerId } from "@drover/core";
import { MOVED_EXPERT_KEPT_MS } from "../limits.ts";
import type { ActiveExperts, ExpertWorker } from "./active-map.ts";

/** Experts by layer, ascending: what one worker is told to hold. */
export type ExpertOrder = ReadonlyMap<number, readonly number[]>;

const slot = (layer: number, expert: number) => `${layer}/${expert}`;

/**
 * Experts that a worker has loaded and a new map gives to others: the worker keeps each as long as the active map names it there, and MOVED_EXPERT_KEPT_MS more.
 * Sized by what the present workers report as loaded.
 */
export class MovedExperts {
  #neededAtMs = new Map<WorkerId, Map<string, number>>();

  /** To be called with every change of the active map; `before` is the one that steps may still follow. */
  observe(workers: readonly ExpertWorker[], before: ActiveExperts, active: ActiveExperts, now: number): void {
    const next = new Map<WorkerId, Map<string, number>>();
    for (const worker of workers) {
      const known = this.#neededAtMs.get(worker.workerId);
      const needed = new Map<string, number>();
      for (const [layer, experts] of worker.loaded ?? []) {
        for (const expert of experts) {
          const named = [active, before].some((map) => map.get(layer)?.[expert]?.includes(worker.workerId));
          // First seen is as good as needed: another leader's map may have named it.
          needed.set(slot(layer, expert), named ? now : (known?.get(slot(layer, expert)) ?? now));
        }
      }
      next.set(worker.workerId, needed);
    }
    this.#neededAtMs = next;
  }

  /** Whether the worker must still keep the loaded expert; to be asked only for what its desired share does not name. */
  keepsUntilMs(worker: WorkerId, layer: number, expert: number): number {
    return (this.#neededAtMs.get(worker)?.get(slot(layer, expert)) ?? Number.NEGATIVE_INFINITY) + MOVED_EXPERT_KEPT_MS;
  }
}

import type { ExpertWorker } from "./active-map.ts";
import type { ExpertHeat } from "./expert-heat.ts";
import type { ExpertOrder } from "./moved-experts.ts";

/**
 * The whole set that one worker is to hold, in each layer the hottest first: what it has loaded and is needed, and of its share as much as it then has
 * room for. The rest is ordered once it could unload something.
 */
export function expertOrder(
  worker: ExpertWorker,
  layers: readonly number[],
  expertCount: number,
  isOwned: (layer: number, expert: number) => boolean,
  isNeeded: (layer: number, expert: number) => boolean,
  heat: ExpertHeat,
): ExpertOrder {
  const isLoaded = (layer: number, expert: number) => worker.loaded?.get(layer)?.has(expert) ?? false;
  let room = worker.expertCountMax;
  const order = new Map<number, number[]>();
  for (const layer of layers) {
    const kept: number[] = [];
    for (let expert = 0; expert < expertCount; expert += 1) {
      if (isLoaded(layer, expert) && (isOwned(layer, expert) || isNeeded(layer, expert))) kept.push(expert);
    }
    room -= kept.length;
    order.set(layer, kept);
  }
  for (const [layer, experts] of order) {
    const byHeat = (a: number, b: number) => heat.of(layer, b) - heat.of(layer, a) || a - b;
    const owned = Array.from({ length: expertCount }, (_, expert) => expert).filter(
      (expert) => isOwned(layer, expert) && !isLoaded(layer, expert),
    );
    const taken = owned.sort(byHeat).slice(0, Math.max(0, room));
    room -= taken.length;
    experts.push(...taken);
    experts.sort(byHeat);
  }
  return order;
}

import type { ExpertRows } from "@drover/fleet";

export type HotExpert = Readonly<{ layer: number; expert: number; rowCount: number }>;

/** How many rows each expert was asked for, since the worker started. */
export class ExpertHeat {
  readonly #layers = new Map<number, number[]>();

  rowsRouted(layer: number, expert: number, rowCount: number): void {
    const counts = this.#layers.get(layer) ?? [];
    this.#layers.set(layer, counts);
    counts[expert] = (counts[expert] ?? 0) + rowCount;
  }

  /** By layer, for each expert up to the last one that was asked for. */
  rows(): ExpertRows {
    return new Map([...this.#layers].map(([layer, counts]) => [layer, Array.from(counts, (count) => count ?? 0)]));
  }

  /** The `count` hottest, hottest first. */
  hottest(count: number): HotExpert[] {
    const best: HotExpert[] = [];
    for (const [layer, counts] of this.#layers) {
      // Experts that were never asked for leave holes.
      counts.forEach((rowCount, expert) => {
        if (best.length === count && rowCount <= (best.at(-1)?.rowCount ?? 0)) return;
        const at = best.findIndex((other) => other.rowCount < rowCount);
        best.splice(at < 0 ? best.length : at, 0, { layer, expert, rowCount });
        if (best.length > count) best.pop();
      });
    }
    return best;
  }
}

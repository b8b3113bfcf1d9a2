import { at } from "@drover/core";
import { HEAT_HALF_LIFE_MS, HEAT_REST } from "../limits.ts";

/** Rows by layer, for each expert in order. */
export type ExpertRows = ReadonlyMap<number, readonly number[]>;

/**
 * How much each expert of each layer is asked for: rows as workers count them, of which half are forgotten every {@link HEAT_HALF_LIFE_MS}. As a share of
 * the layer's rows, mixed with an even part, so that what nobody has asked for yet is not nothing. Pure: time is an argument.
 */
export class ExpertHeat {
  readonly #expertCount: number;
  readonly #rows = new Map<number, Float64Array>();
  readonly #sums = new Map<number, number>();
  #atMs = 0;

  constructor(expertCount: number) {
    this.#expertCount = expertCount;
  }

  /** Rows that were routed since the last time; layers or experts that the model does not have are passed over. */
  add(rows: ExpertRows, now: number): void {
    const kept = 0.5 ** (Math.max(0, now - this.#atMs) / HEAT_HALF_LIFE_MS);
    this.#atMs = Math.max(this.#atMs, now);
    for (const [layer, heat] of this.#rows)
      this.#rows.set(
        layer,
        heat.map((count) => count * kept),
      );
    for (const [layer, counts] of rows) {
      const heat = this.#rows.get(layer) ?? new Float64Array(this.#expertCount);
      this.#rows.set(layer, heat);
      for (const [expert, count] of counts.slice(0, this.#expertCount).entries())
        heat[expert] = at(heat, expert) + count;
    }
    for (const [layer, heat] of this.#rows)
      this.#sums.set(
        layer,
        heat.reduce((sum, count) => sum + count, 0),
      );
  }

  /** Rows of the layer that are not forgotten. */
  rowCount(layer: number): number {
    return this.#sums.get(layer) ?? 0;
  }

  /** The expert's part of its layer's rows; over all experts of a layer they sum to 1. */
  of(layer: number, expert: number): number {
    const even = 1 / this.#expertCount;
    const rows = this.#rows.get(layer);
    const sum = this.#sums.get(layer);
    if (rows === undefined || sum === undefined || sum === 0) return even;
    return (1 - HEAT_REST) * (at(rows, expert) / sum) + HEAT_REST * even;
  }
}

import { assert, at, type Clock, neverAborted } from "@drover/core";
import { expertOutput, MODEL } from "./model.ts";

const LOAD_MS = 30;

/** The experts of a simulated worker: loaded in a moment each, and computed as the model has them. */
export class SimExperts {
  readonly hiddenSize = MODEL.hiddenSize;
  readonly #clock: Clock;
  readonly #loaded = new Map<number, Set<number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(layer: number, expert: number): boolean {
    return this.#loaded.get(layer)?.has(expert) ?? false;
  }

  async load(layer: number, expert: number): Promise<void> {
    await this.#clock.sleep(LOAD_MS, neverAborted);
    const experts = this.#loaded.get(layer) ?? new Set();
    this.#loaded.set(layer, experts.add(expert));
  }

  unload(layer: number, expert: number): void {
    this.#loaded.get(layer)?.delete(expert);
  }

  loaded(): { layer: number; experts: number[] }[] {
    return [...this.#loaded].map(([layer, experts]) => ({ layer, experts: [...experts] }));
  }

  run(
    layer: number,
    experts: ArrayLike<number>,
    counts: ArrayLike<number>,
    z_aD: Float32Array,
    y_aD: Float32Array,
  ): undefined {
    let row = 0;
    for (let i = 0; i < experts.length; i++) {
      const expert = at(experts, i);
      assert(this.has(layer, expert), "an expert is computed where it is loaded");
      for (let end = row + at(counts, i); row < end; row++) {
        for (let d = 0; d < this.hiddenSize; d++) {
          const place = row * this.hiddenSize + d;
          y_aD[place] = expertOutput(layer, expert, at(z_aD, place));
        }
      }
    }
  }
}

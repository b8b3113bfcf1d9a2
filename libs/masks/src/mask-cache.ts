import type { MatchState } from "@drover/grammar";
import { MASK_BYTES_KEPT_MAX } from "./limits.ts";

/** Masks by where in its grammar a text stands, without the tokens that end it: whoever stands there too gets the same. The oldest go first. */
export class MaskCache {
  readonly #masks = new Map<MatchState, Uint32Array>();
  readonly #countMax: number;

  constructor(vocabSize: number) {
    this.#countMax = Math.max(1, Math.floor((MASK_BYTES_KEPT_MAX * 8) / vocabSize));
  }

  get(state: MatchState): Uint32Array | undefined {
    const mask = this.#masks.get(state);
    if (mask === undefined) return undefined;
    this.#masks.delete(state);
    this.#masks.set(state, mask);
    return mask;
  }

  put(state: MatchState, mask: Uint32Array): void {
    this.#masks.set(state, mask.slice());
    for (const oldest of this.#masks.keys()) {
      if (this.#masks.size <= this.#countMax) return;
      this.#masks.delete(oldest);
    }
  }
}

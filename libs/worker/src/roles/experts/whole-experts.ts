import { assert, type ExpertRunner } from "@drover/core";
import type { HeldExperts } from "./counted-experts.ts";
import type { ExpertStore } from "./expert-loader.ts";

/**
 * The experts of a worker whose card has all of them, for its own steps: what the scheduler's map gives it is there already. Who else asks
 * for their answers gets none, see {@link UnansweredExperts}.
 */
export class WholeExperts implements ExpertStore, HeldExperts {
  readonly hiddenSize: number;
  readonly #wished = new Map<number, Set<number>>();

  constructor(hiddenSize: number) {
    this.hiddenSize = hiddenSize;
  }

  has(layer: number, expert: number): boolean {
    return this.#wished.get(layer)?.has(expert) ?? false;
  }

  async load(layer: number, expert: number): Promise<void> {
    const experts = this.#wished.get(layer) ?? new Set();
    this.#wished.set(layer, experts.add(expert));
  }

  unload(layer: number, expert: number): void {
    this.#wished.get(layer)?.delete(expert);
  }

  loaded(): { layer: number; experts: number[] }[] {
    return [...this.#wished].map(([layer, experts]) => ({ layer, experts: [...experts] }));
  }

  run(): never {
    assert(false, "a card's experts answer within its own steps");
  }
}

/** Experts that answer nobody: whoever asks is refused, and asks another holder, if there is one. */
export class UnansweredExperts implements ExpertRunner {
  readonly hiddenSize: number;

  constructor(hiddenSize: number) {
    this.hiddenSize = hiddenSize;
  }

  has(): boolean {
    return false;
  }

  run(): never {
    assert(false, "nobody is answered");
  }
}

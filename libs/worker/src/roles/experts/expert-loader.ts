import { type Clock, type Logger, toDroverError } from "@drover/core";
import type { ExpertSet } from "@drover/fleet";
import { LOADED_REPORT_MS } from "../../limits.ts";

/** Where experts are loaded; `libs/onnx` implements it. */
export interface ExpertStore {
  has(layer: number, expert: number): boolean;
  load(layer: number, expert: number): Promise<void>;
  unload(layer: number, expert: number): void;
  loaded(): { layer: number; experts: number[] }[];
}

/**
 * Follows the scheduler's latest wish: unloads what it does not name, which nobody needs, then loads what it does, the first of every layer before the second of
 * any, and tells of what has been loaded as it goes: rows wait for it. A newer wish interrupts an older one.
 */
export class ExpertLoader implements Disposable {
  readonly #store: ExpertStore;
  readonly #onChange: () => void;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #wish: ExpertSet = new Map();
  #wished = false;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(store: ExpertStore, onChange: () => void, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#onChange = onChange;
    this.#clock = clock;
    this.#logger = logger;
  }

  set(wish: ExpertSet): void {
    if (this.#stopped) return;
    this.#wish = wish;
    this.#wished = true;
    this.#running ??= this.#follow().finally(() => {
      this.#running = undefined;
    });
  }

  /** Whether the latest wish is fulfilled; undefined before the first one. */
  get settled(): boolean | undefined {
    if (!this.#wished) return undefined;
    if (this.#running !== undefined) return false;
    for (const [layer, experts] of this.#wish) {
      for (const expert of experts) if (!this.#store.has(layer, expert)) return false;
    }
    return true;
  }

  async #follow(): Promise<void> {
    for (let wish: ExpertSet | undefined; wish !== this.#wish; ) {
      wish = this.#wish;
      try {
        await this.#apply(wish);
      } catch (error) {
        if (this.#stopped) return;
        // The scheduler sees what is loaded and what is not; the reason is the operator's.
        this.#logger.error("experts.load_failed", { reason: toDroverError(error).message });
      }
      this.#onChange();
    }
  }

  async #apply(wish: ExpertSet): Promise<void> {
    for (const { layer, experts } of this.#store.loaded()) {
      for (const expert of experts) if (!wish.get(layer)?.has(expert)) this.#store.unload(layer, expert);
    }
    let toldAtMs = this.#clock.monotonic();
    for (const { layer, expert } of acrossLayers(wish)) {
      if (wish !== this.#wish || this.#stopped) return;
      if (this.#store.has(layer, expert)) continue;
      await this.#store.load(layer, expert);
      const now = this.#clock.monotonic();
      if (now - toldAtMs < LOADED_REPORT_MS) continue;
      toldAtMs = now;
      this.#onChange();
    }
  }

  /** Takes no further wishes and leaves the present one where it is: the checkpoint is about to be closed. */
  [Symbol.dispose](): void {
    this.#stopped = true;
  }
}

/** A wish's experts in the order in which they are loaded: a step needs some of every layer. */
function acrossLayers(wish: ExpertSet): Readonly<{ layer: number; expert: number }>[] {
  const ranked = [...wish].flatMap(([layer, experts]) => [...experts].map((expert, rank) => ({ layer, expert, rank })));
  return ranked.sort((a, b) => a.rank - b.rank);
}

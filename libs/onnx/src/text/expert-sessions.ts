import { assert, type ExpertRunner } from "@drover/core";
import type { GraphDims } from "@drover/llama4";
import { FLAT_OUTPUT } from "../graphs/blocks.ts";
import { expertGraph } from "../graphs/stages.ts";
import { f32, Session, type SessionOptions } from "../session.ts";
import type { ModelWeights } from "../weights/model-weights.ts";

/** The routed experts that this process has loaded: one session each, so that a call pays only for experts that have rows. */
export class ExpertSessions implements ExpertRunner, Disposable {
  readonly #dims: GraphDims;
  readonly #weights: ModelWeights;
  readonly #options: SessionOptions;
  readonly #sessions = new Map<number, Map<number, Session>>();

  constructor(dims: GraphDims, weights: ModelWeights, options: SessionOptions) {
    this.#dims = dims;
    this.#weights = weights;
    this.#options = options;
  }

  get hiddenSize(): number {
    return this.#dims.hiddenSize;
  }

  has(layer: number, expert: number): boolean {
    return this.#sessions.get(layer)?.has(expert) ?? false;
  }

  /** Reads one expert's bytes and compiles it; nothing when it is there already. Errors: the checkpoint's. */
  async load(layer: number, expert: number): Promise<void> {
    if (this.has(layer, expert)) return;
    const weights = await this.#weights.expert(layer, expert);
    const session = new Session(
      `expert ${layer}.${expert}`,
      expertGraph(this.#dims, weights),
      FLAT_OUTPUT,
      this.#options,
    );
    const layerSessions = this.#sessions.get(layer) ?? new Map<number, Session>();
    layerSessions.set(expert, session);
    this.#sessions.set(layer, layerSessions);
  }

  unload(layer: number, expert: number): void {
    const sessions = this.#sessions.get(layer);
    sessions?.get(expert)?.[Symbol.dispose]();
    sessions?.delete(expert);
  }

  /** What is loaded, layer by layer, ascending. */
  loaded(): { layer: number; experts: number[] }[] {
    return [...this.#sessions]
      .sort(([a], [b]) => a - b)
      .map(([layer, sessions]) => ({ layer, experts: [...sessions.keys()].sort((a, b) => a - b) }));
  }

  run(
    layer: number,
    experts: ArrayLike<number>,
    counts: ArrayLike<number>,
    z_aD: Float32Array,
    y_aD: Float32Array,
  ): undefined {
    const width = this.hiddenSize;
    let row = 0;
    for (let i = 0; i < experts.length; i++) {
      const count = counts[i] ?? 0;
      const session = this.#sessions.get(layer)?.get(experts[i] ?? -1);
      assert(session !== undefined, "only loaded experts are run");
      const out = session.runFlat({ z: f32(z_aD.subarray(row * width, (row + count) * width), [count, width]) });
      y_aD.set(out, row * width);
      row += count;
    }
  }

  [Symbol.dispose](): void {
    for (const sessions of this.#sessions.values()) {
      for (const session of sessions.values()) session[Symbol.dispose]();
    }
    this.#sessions.clear();
  }
}

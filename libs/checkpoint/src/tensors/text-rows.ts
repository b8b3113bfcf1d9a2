import { type LinearRows, stackRows } from "./linear-rows.ts";
import type { TextWeights } from "./text-weights.ts";

/** A SwiGLU block: gate's rows and then up's, [2F, D]; down, [D, F]. */
export type MlpRows = Readonly<{ gateUp: LinearRows; down: LinearRows }>;

/** A text model's weights by the blocks that compute them, each read in parts. Errors: the checkpoint's. */
export interface TextRows {
  /** A norm's weight by its tensor's name, [D]. */
  vector(name: string): Promise<Float32Array>;
  /** A layer's q, k and v in one Linear; and the attention's output, [D, H d]. */
  attention(layer: number): Promise<Readonly<{ qkv: LinearRows; output: LinearRows }>>;
  dense(layer: number): Promise<MlpRows>;
  shared(layer: number): Promise<MlpRows>;
  /** No other expert's bytes are read. */
  expert(layer: number, expert: number): Promise<MlpRows>;
  /** [E, D]. */
  router(layer: number): Promise<LinearRows>;
  /** [V, D]. */
  head(): Promise<LinearRows>;
  /** [V, D]. */
  embedding(): Promise<LinearRows>;
}

/** Those of a checkpoint that was not converted. */
export class StoredTextRows implements TextRows {
  readonly #weights: TextWeights;

  constructor(weights: TextWeights) {
    this.#weights = weights;
  }

  vector(name: string): Promise<Float32Array> {
    return this.#weights.vector(name);
  }

  async attention(layer: number): Promise<Readonly<{ qkv: LinearRows; output: LinearRows }>> {
    const attention = `model.layers.${layer}.self_attn`;
    const qkv = await this.#stack(attention, ["q_proj", "k_proj", "v_proj"]);
    return { qkv, output: await this.#weights.linearRows(`${attention}.o_proj`) };
  }

  dense(layer: number): Promise<MlpRows> {
    return this.#mlp(`model.layers.${layer}.feed_forward`);
  }

  shared(layer: number): Promise<MlpRows> {
    return this.#mlp(`model.layers.${layer}.feed_forward.shared_expert`);
  }

  expert(layer: number, expert: number): Promise<MlpRows> {
    return this.#weights.expertRows(layer, expert);
  }

  router(layer: number): Promise<LinearRows> {
    return this.#weights.linearRows(`model.layers.${layer}.feed_forward.router`);
  }

  head(): Promise<LinearRows> {
    return this.#weights.linearRows("lm_head");
  }

  embedding(): Promise<LinearRows> {
    return this.#weights.embeddingRows();
  }

  async #mlp(prefix: string): Promise<MlpRows> {
    return {
      gateUp: await this.#stack(prefix, ["gate_proj", "up_proj"]),
      down: await this.#weights.linearRows(`${prefix}.down_proj`),
    };
  }

  async #stack(prefix: string, names: readonly string[]): Promise<LinearRows> {
    const parts: LinearRows[] = [];
    for (const name of names) parts.push(await this.#weights.linearRows(`${prefix}.${name}`));
    return stackRows(parts);
  }
}

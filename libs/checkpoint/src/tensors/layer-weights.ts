import type { Embedding } from "./embedding.ts";
import { type LinearRows, readAllRows, stackRows } from "./linear-rows.ts";
import { headFormat, type LinearFormat, type Quantization } from "./quantization.ts";
import { type QuantizedLinear, quantizeRows } from "./quantize.ts";
import type { TextWeights } from "./text-weights.ts";

/** A Linear's weight [out, in] in the form in which it is computed. */
export type ServedLinear = Readonly<{ kind: "f32"; data: Float32Array }> | QuantizedLinear;

/** A SwiGLU block: gate rows, then up rows, [2F, D]; down [D, F]. */
export type ServedMlp = Readonly<{ gateUp: ServedLinear; down: ServedLinear }>;

/**
 * A checkpoint's text weights as the graphs take them, in f32 or quantized while they are read. Whatever a tensor's own type, it is dequantized to f32 first.
 * Router, embedding and norms are never quantized. Errors: those of {@link TextWeights}.
 */
export class LayerWeights {
  readonly #weights: TextWeights;
  readonly #quantization: Quantization | null;

  constructor(weights: TextWeights, quantization: Quantization | null) {
    this.#weights = weights;
    this.#quantization = quantization;
  }

  /** A norm's weight by its tensor's name, [D]. */
  async vector(name: string): Promise<Float32Array> {
    return this.#weights.vector(name);
  }

  /** A layer's input norm, and the rows of q, k and v in one Linear. */
  async attention(layer: number): Promise<Readonly<{ norm: Float32Array; qkv: ServedLinear }>> {
    const attention = `model.layers.${layer}.self_attn`;
    return {
      norm: await this.vector(`model.layers.${layer}.input_layernorm.weight`),
      qkv: await this.#linears(["q_proj", "k_proj", "v_proj"].map((part) => `${attention}.${part}`)),
    };
  }

  /** The attention's output projection, [D, H*d]. */
  async output(layer: number): Promise<ServedLinear> {
    return this.#linears([`model.layers.${layer}.self_attn.o_proj`]);
  }

  async dense(layer: number): Promise<ServedMlp> {
    return this.#mlp(`model.layers.${layer}.feed_forward`);
  }

  async shared(layer: number): Promise<ServedMlp> {
    return this.#mlp(`model.layers.${layer}.feed_forward.shared_expert`);
  }

  /** [E, D], always f32: which expert a row takes is decided by differences as small as 1e-5. */
  async gate(layer: number): Promise<ServedLinear> {
    return { kind: "f32", data: await this.#weights.linear(`model.layers.${layer}.feed_forward.router`) };
  }

  /** Reads one routed expert, and no other's bytes. */
  async expert(layer: number, expert: number): Promise<ServedMlp> {
    const { gateUp, down } = await this.#weights.expertRows(layer, expert);
    return { gateUp: await served(gateUp, this.#quantization), down: await served(down, this.#quantization) };
  }

  /** [V, D]. */
  async head(): Promise<ServedLinear> {
    return served(await this.#weights.linearRows("lm_head"), headFormat(this.#quantization));
  }

  async embedding(): Promise<Embedding> {
    return this.#weights.embedding();
  }

  async #mlp(prefix: string): Promise<ServedMlp> {
    return {
      gateUp: await this.#linears([`${prefix}.gate_proj`, `${prefix}.up_proj`]),
      down: await this.#linears([`${prefix}.down_proj`]),
    };
  }

  /** Linears of one input as one, their rows in order. */
  async #linears(names: readonly string[]): Promise<ServedLinear> {
    const parts: LinearRows[] = [];
    for (const name of names) parts.push(await this.#weights.linearRows(name));
    return served(stackRows(parts), this.#quantization);
  }
}

async function served(rows: LinearRows, format: LinearFormat): Promise<ServedLinear> {
  return format === null ? { kind: "f32", data: await readAllRows(rows) } : quantizeRows(rows, format);
}

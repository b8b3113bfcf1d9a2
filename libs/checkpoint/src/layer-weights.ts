import type { Embedding } from "./embedding.ts";
import { linearShape } from "./linear-shape.ts";
import type { ModelConfig } from "./model-config.ts";
import { headFormat, type LinearFormat, type Quantization } from "./quantization.ts";
import { type QuantizedLinear, quantizeLinear } from "./quantize.ts";
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
  readonly #config: ModelConfig;
  readonly #quantization: Quantization | null;

  constructor(weights: TextWeights, config: ModelConfig, quantization: Quantization | null) {
    this.#weights = weights;
    this.#config = config;
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
  async router(layer: number): Promise<ServedLinear> {
    return { kind: "f32", data: await this.#weights.linear(`model.layers.${layer}.feed_forward.router`) };
  }

  /** Reads one routed expert, and no other's bytes. */
  async expert(layer: number, expert: number): Promise<ServedMlp> {
    const { hiddenSize, expertWidth } = this.#config;
    const { gateUp, down } = await this.#weights.expert(layer, expert);
    return {
      gateUp: served(gateUp, 2 * expertWidth, hiddenSize, this.#quantization),
      down: served(down, hiddenSize, expertWidth, this.#quantization),
    };
  }

  /** [V, D]. */
  async head(): Promise<ServedLinear> {
    const { vocabSize, hiddenSize } = this.#config;
    return served(await this.#weights.linear("lm_head"), vocabSize, hiddenSize, headFormat(this.#quantization));
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
    const shapes = names.map((name) => linearShape(name, this.#config));
    const inSize = shapes[0]?.[1] ?? 0;
    const outSize = shapes.reduce((sum, [size]) => sum + size, 0);
    const parts: Float32Array[] = [];
    for (const name of names) parts.push(await this.#weights.linear(name));
    return served(concatenate(parts), outSize, inSize, this.#quantization);
  }
}

function served(data: Float32Array, outSize: number, inSize: number, format: LinearFormat): ServedLinear {
  return format === null ? { kind: "f32", data } : quantizeLinear(data, outSize, inSize, format);
}

/** The parts behind one another; the only one as it is. */
export function concatenate(parts: readonly Float32Array[]): Float32Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

import { basename } from "node:path";
import { DroverError } from "@drover/core";
import type {
  BiasedLinear,
  LayerNormWeights,
  VisionEnterWeights,
  VisionExitWeights,
  VisionLayerWeights,
} from "@drover/llama4";
import type { VisionConfig } from "../config/vision-config.ts";
import type { Checkpoint } from "../files/checkpoint.ts";
import { scaleRows } from "./expert-layout.ts";

const MODEL = "vision_model";

/**
 * The vision tensors as f32, whatever the file holds: bf16, f16, f32, or FP8 with scales for each output or one for all.
 * Errors of all methods: `invalid_argument` naming file, tensor and what is wrong with it.
 */
export class VisionWeights {
  readonly #checkpoint: Checkpoint;
  readonly #config: VisionConfig;

  constructor(checkpoint: Checkpoint, config: VisionConfig) {
    this.#checkpoint = checkpoint;
    this.#config = config;
  }

  async entry(): Promise<VisionEnterWeights> {
    const { hiddenSize, patchSize, gridSize } = this.#config;
    const { weight } = await this.#linear(`${MODEL}.patch_embedding.linear`, hiddenSize, 3 * patchSize ** 2, "none");
    return {
      patches: weight,
      classEmbedding: await this.#tensor(`${MODEL}.class_embedding`, [hiddenSize]),
      positions: await this.#tensor(`${MODEL}.positional_embedding_vlm`, [gridSize ** 2 + 1, hiddenSize]),
      norm: await this.#norm(`${MODEL}.layernorm_pre`),
    };
  }

  async layer(index: number): Promise<VisionLayerWeights> {
    const { hiddenSize, mlpWidth } = this.#config;
    const name = `${MODEL}.model.layers.${index}`;
    const square = (part: string) => this.#linear(`${name}.self_attn.${part}`, hiddenSize, hiddenSize, "always");
    return {
      inputNorm: await this.#norm(`${name}.input_layernorm`),
      qkv: stack([await square("q_proj"), await square("k_proj"), await square("v_proj")]),
      output: await square("o_proj"),
      mlpNorm: await this.#norm(`${name}.post_attention_layernorm`),
      fc1: await this.#linear(`${name}.mlp.fc1`, mlpWidth, hiddenSize, "always"),
      fc2: await this.#linear(`${name}.mlp.fc2`, hiddenSize, mlpWidth, "always"),
    };
  }

  async exit(): Promise<VisionExitWeights> {
    const { mlpWidth, adapterWidth, outputWidth, textHiddenSize, hasProjectorBias } = this.#config;
    const adapter = `${MODEL}.vision_adapter.mlp`;
    return {
      norm: await this.#norm(`${MODEL}.layernorm_post`),
      fc1: await this.#linear(`${adapter}.fc1`, adapterWidth, mlpWidth, "optional"),
      fc2: await this.#linear(`${adapter}.fc2`, outputWidth, adapterWidth, "optional"),
      projector: await this.#linear(
        "multi_modal_projector.linear_1",
        textHiddenSize,
        outputWidth,
        hasProjectorBias ? "always" : "optional",
      ),
    };
  }

  async #norm(name: string): Promise<LayerNormWeights> {
    const { hiddenSize } = this.#config;
    return {
      weight: await this.#tensor(`${name}.weight`, [hiddenSize]),
      bias: await this.#tensor(`${name}.bias`, [hiddenSize]),
    };
  }

  async #linear(
    name: string,
    outSize: number,
    inSize: number,
    bias: "always" | "optional" | "none",
  ): Promise<BiasedLinear> {
    const tensor = `${name}.weight`;
    const weight = await this.#tensor(tensor, [outSize, inSize]);
    if (this.#checkpoint.weightDtype(tensor) === "F8_E4M3") await this.#scale(weight, `${tensor}_scale`, outSize);
    const hasBias = bias === "always" || (bias === "optional" && this.#checkpoint.has(`${name}.bias`));
    return { weight, bias: hasBias ? await this.#tensor(`${name}.bias`, [outSize]) : null };
  }

  async #scale(weight: Float32Array, scale: string, outSize: number): Promise<void> {
    const { shape } = this.#checkpoint.info(scale);
    const isOne = shape.every((size) => size === 1);
    const isEach = shape[0] === outSize && shape.slice(1).every((size) => size === 1);
    if (!isOne && !isEach) this.#fail(scale, `has shape [${shape}]; it must be [${outSize}, 1] or [1]`);
    scaleRows(weight, await this.#checkpoint.readF32(scale), outSize);
  }

  async #tensor(name: string, shape: readonly number[]): Promise<Float32Array> {
    const found = this.#checkpoint.info(name).shape;
    if (found.length !== shape.length || found.some((size, i) => size !== shape[i]))
      this.#fail(name, `has shape [${found}] where config.json makes it [${shape}]`);
    return this.#checkpoint.readF32(name);
  }

  #fail(tensor: string, what: string): never {
    const file = basename(this.#checkpoint.info(tensor).file);
    throw new DroverError("invalid_argument", `${file}: tensor ${tensor} ${what}`);
  }
}

/** Linears of one input as one, their rows in order. */
function stack(linears: readonly BiasedLinear[]): BiasedLinear {
  return {
    weight: concatenated(linears.map(({ weight }) => weight)),
    bias: concatenated(linears.flatMap(({ bias }) => (bias === null ? [] : [bias]))),
  };
}

function concatenated(arrays: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}

import { basename } from "node:path";
import { DroverError } from "@drover/core";
import { linearShape } from "@drover/llama4";
import type { ModelConfig } from "../config/model-config.ts";
import type { ConversionSetting } from "../converted/setting.ts";
import type { Checkpoint } from "../files/checkpoint.ts";
import { quoted } from "../files/quoted.ts";

const PREFIX = "language_model.";
const LAYER = /^(?:language_model\.)?model\.layers\.(\d+)\./;

/**
 * Checks that a checkpoint has every tensor that its text model needs, in the shape that config.json makes it and a type that Drover reads, without
 * reading any: whoever opens the folder finds the same fault, whatever part of it they serve. `converted`: of a converted folder, whose Linears are in
 * files of their own. Errors: `invalid_argument` naming file and tensor.
 */
export function checkTextTensors(
  checkpoint: Checkpoint,
  config: ModelConfig,
  converted: ConversionSetting | null,
): void {
  for (const { name } of checkpoint.tensors()) {
    const [, layer] = LAYER.exec(name) ?? [];
    if (layer === undefined || Number(layer) < config.layerCount) continue;
    fail(checkpoint, name, `is of a layer that config.json does not have: it names ${config.layerCount}`);
  }
  const check = new TensorCheck(checkpoint, config);
  check.plain("model.embed_tokens.weight", [config.vocabSize, config.hiddenSize]);
  check.plain("model.norm.weight", [config.hiddenSize]);
  const isTied = config.tieWordEmbeddings && !check.has("lm_head.weight");
  if (!isTied && (converted === null || converted.head === null)) check.linear("lm_head");
  const moe = new Set(config.moeLayers);
  for (let layer = 0; layer < config.layerCount; layer++) {
    const path = `model.layers.${layer}`;
    check.plain(`${path}.input_layernorm.weight`, [config.hiddenSize]);
    check.plain(`${path}.post_attention_layernorm.weight`, [config.hiddenSize]);
    if (moe.has(layer)) check.linear(`${path}.feed_forward.router`);
    if (converted !== null) continue;
    for (const part of ["q_proj", "k_proj", "v_proj", "o_proj"]) check.linear(`${path}.self_attn.${part}`);
    check.mlp(moe.has(layer) ? `${path}.feed_forward.shared_expert` : `${path}.feed_forward`);
    if (moe.has(layer)) check.experts(`${path}.feed_forward.experts`);
  }
}

class TensorCheck {
  readonly #checkpoint: Checkpoint;
  readonly #config: ModelConfig;
  readonly #prefix: string;

  constructor(checkpoint: Checkpoint, config: ModelConfig) {
    this.#checkpoint = checkpoint;
    this.#config = config;
    // Either may be what is missing.
    const isPrefixed = ["model.norm.weight", "model.embed_tokens.weight"].some((name) => checkpoint.has(PREFIX + name));
    this.#prefix = isPrefixed ? PREFIX : "";
  }

  has(name: string): boolean {
    return this.#checkpoint.has(this.#prefix + name);
  }

  /** A tensor of exactly this shape in 16 or 32 bits. */
  plain(name: string, shape: readonly number[]): void {
    if (this.#dtypeOf(name, shape) === "F8_E4M3")
      fail(this.#checkpoint, this.#prefix + name, "is F8_E4M3; Drover reads it in 16 or 32 bits");
  }

  linear(name: string): void {
    const [outSize, inSize] = linearShape(name, this.#config);
    this.#scaled(name, outSize, inSize);
  }

  /** A SwiGLU block of three Linears. */
  mlp(path: string): void {
    for (const part of ["gate_proj", "up_proj", "down_proj"]) this.linear(`${path}.${part}`);
  }

  /** All experts of a layer, in two tensors or in three Linears each. */
  experts(path: string): void {
    const { hiddenSize: d, expertWidth: f, expertCount } = this.#config;
    if (this.has(`${path}.gate_up_proj`) || this.has(`${path}.down_proj`)) {
      this.#fused(`${path}.gate_up_proj`, [expertCount, d, 2 * f], [expertCount, 1, 2 * f]);
      this.#fused(`${path}.down_proj`, [expertCount, f, d], [expertCount, d, 1]);
      return;
    }
    for (let e = 0; e < expertCount; e++) {
      this.#scaled(`${path}.${e}.gate_proj`, f, d);
      this.#scaled(`${path}.${e}.up_proj`, f, d);
      this.#scaled(`${path}.${e}.down_proj`, d, f);
    }
  }

  #fused(name: string, shape: readonly number[], scaleShape: readonly number[]): void {
    if (this.#dtypeOf(name, shape) === "F8_E4M3") this.plain(`${name}_scale`, scaleShape);
  }

  #scaled(name: string, outSize: number, inSize: number): void {
    if (this.#dtypeOf(`${name}.weight`, [outSize, inSize]) !== "F8_E4M3") return;
    const scale = `${name}.weight_scale`;
    const { shape } = this.#checkpoint.info(this.#prefix + scale);
    const isOne = shape.every((size) => size === 1);
    const isPerOutput = shape[0] === outSize && shape.slice(1).every((size) => size === 1);
    if (isOne || isPerOutput) this.plain(scale, shape);
    else fail(this.#checkpoint, this.#prefix + scale, `has shape [${shape}]; it must be [${outSize}, 1] or [1]`);
  }

  #dtypeOf(name: string, shape: readonly number[]) {
    const tensor = this.#prefix + name;
    const found = this.#checkpoint.info(tensor).shape;
    if (found.length !== shape.length || found.some((size, i) => size !== shape[i]))
      fail(this.#checkpoint, tensor, `has shape [${found}] where config.json makes it [${shape}]`);
    return this.#checkpoint.weightDtype(tensor);
  }
}

function fail(checkpoint: Checkpoint, tensor: string, what: string): never {
  const file = basename(checkpoint.info(tensor).file);
  throw new DroverError("invalid_argument", `${file}: tensor ${quoted(tensor)} ${what}`);
}

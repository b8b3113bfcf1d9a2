import { linearShape } from "@drover/llama4";
import type { ModelConfig } from "../config/model-config.ts";
import type { ConversionSetting } from "../converted/setting.ts";
import type { Checkpoint } from "../files/checkpoint.ts";
import { hasFusedExperts, storedExperts } from "../stored/stored-experts.ts";
import { hasLinear, storedLinear } from "../stored/stored-linear.ts";
import type { StoredMatrix } from "../stored/stored-matrix.ts";
import { failTensor, requireShape } from "../stored/tensor-fault.ts";
import { refuseForeignTensors } from "./foreign-tensors.ts";

const PREFIX = "language_model.";
const LAYER = /^(?:language_model\.)?model\.layers\.(\d+)\./;

/**
 * Checks that a checkpoint has every tensor that its text model needs, in the shape that config.json makes it and a type that Drover reads, without
 * reading any: whoever opens the folder finds the same fault, whatever part of it they serve. `converted`: of a converted folder, whose Linears are in
 * files of their own. `onStored` gets every Linear and every layer's fused experts as they are found. Errors: `invalid_argument` naming file and tensor.
 */
export function checkTextTensors(
  checkpoint: Checkpoint,
  config: ModelConfig,
  converted: ConversionSetting | null,
  onStored: (matrix: StoredMatrix) => void = () => undefined,
): void {
  for (const { name } of checkpoint.tensors()) {
    const [, layer] = LAYER.exec(name) ?? [];
    if (layer === undefined || Number(layer) < config.layerCount) continue;
    failTensor(checkpoint, name, `is of a layer that config.json does not have: it names ${config.layerCount}`);
  }
  refuseForeignTensors(checkpoint);
  const check = new TensorCheck(checkpoint, config, onStored);
  check.plain("model.embed_tokens.weight", [config.vocabSize, config.hiddenSize]);
  check.plain("model.norm.weight", [config.hiddenSize]);
  const isTied = config.tieWordEmbeddings && !check.hasLinear("lm_head");
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
  readonly #onStored: (matrix: StoredMatrix) => void;

  constructor(checkpoint: Checkpoint, config: ModelConfig, onStored: (matrix: StoredMatrix) => void) {
    this.#onStored = onStored;
    this.#checkpoint = checkpoint;
    this.#config = config;
    // Either may be what is missing.
    const isPrefixed = ["model.norm.weight", "model.embed_tokens.weight"].some((name) => checkpoint.has(PREFIX + name));
    this.#prefix = isPrefixed ? PREFIX : "";
  }

  hasLinear(name: string): boolean {
    return hasLinear(this.#checkpoint, this.#prefix + name);
  }

  /** A tensor of exactly this shape in 16 or 32 bits. */
  plain(name: string, shape: readonly number[]): void {
    const tensor = this.#prefix + name;
    requireShape(this.#checkpoint, tensor, shape);
    if (this.#checkpoint.weightDtype(tensor) === "F8_E4M3")
      failTensor(this.#checkpoint, tensor, "is F8_E4M3; Drover reads it in 16 or 32 bits");
  }

  linear(name: string): void {
    const [outSize, inSize] = linearShape(name, this.#config);
    this.#stored(name, outSize, inSize);
  }

  /** A SwiGLU block of three Linears. */
  mlp(path: string): void {
    for (const part of ["gate_proj", "up_proj", "down_proj"]) this.linear(`${path}.${part}`);
  }

  /** All experts of a layer, in two tensors or in three Linears each. */
  experts(path: string): void {
    const { hiddenSize: d, expertWidth: f, expertCount } = this.#config;
    const whole = this.#prefix + path;
    if (hasFusedExperts(this.#checkpoint, whole)) {
      const { gateUp, down } = storedExperts(this.#checkpoint, whole, this.#config, this.#config.storedForms);
      this.#onStored(gateUp);
      this.#onStored(down);
      return;
    }
    for (let e = 0; e < expertCount; e++) {
      this.#stored(`${path}.${e}.gate_proj`, f, d);
      this.#stored(`${path}.${e}.up_proj`, f, d);
      this.#stored(`${path}.${e}.down_proj`, d, f);
    }
  }

  #stored(name: string, outSize: number, inSize: number): void {
    this.#onStored(storedLinear(this.#checkpoint, this.#prefix + name, outSize, inSize, this.#config.storedForms));
  }
}

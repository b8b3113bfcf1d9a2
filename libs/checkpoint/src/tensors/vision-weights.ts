import type {
  BiasedLinear,
  LayerNormWeights,
  VisionEnterWeights,
  VisionExitWeights,
  VisionLayerWeights,
} from "@drover/llama4";
import type { VisionConfig } from "../config/vision-config.ts";
import type { Checkpoint } from "../files/checkpoint.ts";
import { matrixRows } from "../stored/matrix-rows.ts";
import { storedLinear } from "../stored/stored-linear.ts";
import { requireShape } from "../stored/tensor-fault.ts";
import { type LinearRows, readAllRows, stackRows } from "./linear-rows.ts";

const MODEL = "vision_model";

/** A Linear whose weight is read some rows at a time; bias [out] where it has one. */
export type BiasedRows = Readonly<{ rows: LinearRows; bias: Float32Array | null }>;

/**
 * The vision tensors as f32, whatever the file holds: bf16, f16, f32, or of Linears what `storedLinear` knows. Those with `Rows` in their names read no Linear yet.
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
    const entry = await this.entryRows();
    return { ...entry, patches: await readAllRows(entry.patches) };
  }

  async layer(index: number): Promise<VisionLayerWeights> {
    const { qkv, output, fc1, fc2, ...norms } = await this.layerRows(index);
    return {
      ...norms,
      qkv: await filled(qkv),
      output: await filled(output),
      fc1: await filled(fc1),
      fc2: await filled(fc2),
    };
  }

  async exit(): Promise<VisionExitWeights> {
    const { norm, fc1, fc2, projector } = await this.exitRows();
    return { norm, fc1: await filled(fc1), fc2: await filled(fc2), projector: await filled(projector) };
  }

  async entryRows(): Promise<VisionEnterWeights<LinearRows>> {
    const { hiddenSize, patchSize, gridSize } = this.#config;
    const { rows } = await this.#linear(`${MODEL}.patch_embedding.linear`, hiddenSize, 3 * patchSize ** 2, "none");
    return {
      patches: rows,
      classEmbedding: await this.#tensor(`${MODEL}.class_embedding`, [hiddenSize]),
      positions: await this.#tensor(`${MODEL}.positional_embedding_vlm`, [gridSize ** 2 + 1, hiddenSize]),
      norm: await this.#norm(`${MODEL}.layernorm_pre`),
    };
  }

  async layerRows(index: number): Promise<VisionLayerWeights<BiasedRows>> {
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

  async exitRows(): Promise<VisionExitWeights<BiasedRows>> {
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
  ): Promise<BiasedRows> {
    const stored = storedLinear(this.#checkpoint, name, outSize, inSize, this.#config.storedForms);
    const rows = await matrixRows(this.#checkpoint, stored);
    const hasBias = bias === "always" || (bias === "optional" && this.#checkpoint.has(`${name}.bias`));
    return { rows, bias: hasBias ? await this.#tensor(`${name}.bias`, [outSize]) : null };
  }

  async #tensor(name: string, shape: readonly number[]): Promise<Float32Array> {
    requireShape(this.#checkpoint, name, shape);
    return this.#checkpoint.readF32(name);
  }
}

async function filled({ rows, bias }: BiasedRows): Promise<BiasedLinear> {
  return { weight: await readAllRows(rows), bias };
}

/** Linears of one input as one, their rows in order. */
function stack(linears: readonly BiasedRows[]): BiasedRows {
  return {
    rows: stackRows(linears.map(({ rows }) => rows)),
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

import { DroverError } from "@drover/core";
import type { Checkpoint } from "./checkpoint.ts";
import { bf16ToF32, type Dtype, toF32 } from "./dtype.ts";
import type { ModelConfig } from "./model-config.ts";

/** One routed expert in Linear layout: gate and up [F, D], down [D, F]. */
export type ExpertWeights = Readonly<{ gate: Float32Array; up: Float32Array; down: Float32Array }>;

/**
 * Llama 4's text tensors as dequantized f32 in Linear layout [out, in], whatever the file holds: bf16, f16, f32, FP8 with scales
 * (compressed-tensors and fbgemm), fused or one tensor an expert. Names are given without the `language_model.` prefix.
 */
export class TextWeights {
  readonly #checkpoint: Checkpoint;
  readonly #config: ModelConfig;
  readonly #prefix: string;

  constructor(checkpoint: Checkpoint, config: ModelConfig) {
    this.#checkpoint = checkpoint;
    this.#config = config;
    this.#prefix = checkpoint.has("language_model.model.norm.weight") ? "language_model." : "";
  }

  /** A Linear's weight by its module name, [out, in]. Errors: `invalid_argument` naming tensor and shape. */
  async linear(name: string): Promise<Float32Array> {
    const [outSize, inSize] = this.#linearShape(name);
    const source =
      name === "lm_head" && this.#config.tieWordEmbeddings && !this.#has("lm_head.weight")
        ? "model.embed_tokens"
        : name;
    return this.#scaledLinear(source, outSize, inSize);
  }

  /** A norm's weight, [D]. */
  async vector(name: string): Promise<Float32Array> {
    this.#check(name, [this.#config.hiddenSize]);
    return this.#checkpoint.readF32(this.#prefix + name);
  }

  /** Reads expert `e` of a layer, and no other expert's bytes. */
  async expert(layer: number, e: number): Promise<ExpertWeights> {
    const { hiddenSize: d, expertWidth: f } = this.#config;
    const prefix = `model.layers.${layer}.feed_forward.experts`;
    if (!this.#has(`${prefix}.gate_up_proj`)) {
      const part = (proj: string, outSize: number, inSize: number) =>
        this.#scaledLinear(`${prefix}.${e}.${proj}`, outSize, inSize);
      return {
        gate: await part("gate_proj", f, d),
        up: await part("up_proj", f, d),
        down: await part("down_proj", d, f),
      };
    }
    const count = this.#config.expertCount;
    this.#check(`${prefix}.gate_up_proj`, [count, d, 2 * f]);
    this.#check(`${prefix}.down_proj`, [count, f, d]);
    const gateUp = await this.#checkpoint.readF32Slice(`${this.#prefix}${prefix}.gate_up_proj`, e, 1);
    const down = await this.#checkpoint.readF32Slice(`${this.#prefix}${prefix}.down_proj`, e, 1);
    // fbgemm's scales: one for each column of gate_up, and one for each output of down.
    const columnScales = await this.#expertScales(`${prefix}.gate_up_proj`, e, [count, 1, 2 * f]);
    const outputScales = await this.#expertScales(`${prefix}.down_proj`, e, [count, d, 1]);
    return {
      gate: transpose(gateUp, d, 2 * f, 0, f, columnScales),
      up: transpose(gateUp, d, 2 * f, f, f, columnScales),
      down: transpose(down, f, d, 0, d, outputScales),
    };
  }

  /** The input embedding, in its own type; one row is converted at a time. */
  async embedding(): Promise<Embedding> {
    const name = "model.embed_tokens.weight";
    this.#check(name, [this.#config.vocabSize, this.#config.hiddenSize]);
    const bytes = await this.#checkpoint.readBytes(this.#prefix + name);
    return new Embedding(bytes, this.#checkpoint.info(this.#prefix + name).dtype, this.#config.hiddenSize);
  }

  #has(name: string): boolean {
    return this.#checkpoint.has(this.#prefix + name);
  }

  async #scaledLinear(name: string, outSize: number, inSize: number): Promise<Float32Array> {
    this.#check(`${name}.weight`, [outSize, inSize]);
    const weight = await this.#checkpoint.readF32(`${this.#prefix}${name}.weight`);
    const isFp8 = this.#checkpoint.info(`${this.#prefix}${name}.weight`).dtype === "F8_E4M3";
    if (!isFp8) return weight;
    const scaleName = `${this.#prefix}${name}.weight_scale`;
    const { shape } = this.#checkpoint.info(scaleName);
    const scales = await this.#checkpoint.readF32(scaleName);
    if (scales.length !== outSize && scales.length !== 1)
      this.#fail(scaleName, `has shape [${shape}] for ${outSize} outputs`);
    for (let o = 0; o < outSize; o++) {
      const scale = scales[scales.length === 1 ? 0 : o] ?? 0;
      for (let i = o * inSize; i < (o + 1) * inSize; i++) weight[i] = (weight[i] ?? 0) * scale;
    }
    return weight;
  }

  async #expertScales(name: string, e: number, shape: readonly number[]): Promise<Float32Array | undefined> {
    if (this.#checkpoint.info(this.#prefix + name).dtype !== "F8_E4M3") return undefined;
    this.#check(`${name}_scale`, shape);
    return this.#checkpoint.readF32Slice(`${this.#prefix}${name}_scale`, e, 1);
  }

  #check(name: string, shape: readonly number[]): void {
    const found = this.#checkpoint.info(this.#prefix + name).shape;
    if (found.length !== shape.length || found.some((size, i) => size !== shape[i])) {
      this.#fail(this.#prefix + name, `has shape [${found}] where config.json makes it [${shape}]`);
    }
  }

  #fail(tensor: string, what: string): never {
    throw new DroverError("invalid_argument", `${this.#checkpoint.directory}: tensor ${tensor} ${what}`);
  }

  #linearShape(name: string): [number, number] {
    const c = this.#config;
    const dense = name.includes(".feed_forward.shared_expert.") ? c.expertWidth : c.denseWidth;
    const shapes: Record<string, [number, number]> = {
      lm_head: [c.vocabSize, c.hiddenSize],
      q_proj: [c.headCount * c.headDim, c.hiddenSize],
      k_proj: [c.kvHeadCount * c.headDim, c.hiddenSize],
      v_proj: [c.kvHeadCount * c.headDim, c.hiddenSize],
      o_proj: [c.hiddenSize, c.headCount * c.headDim],
      router: [c.expertCount, c.hiddenSize],
      gate_proj: [dense, c.hiddenSize],
      up_proj: [dense, c.hiddenSize],
      down_proj: [c.hiddenSize, dense],
    };
    const shape = shapes[name.slice(name.lastIndexOf(".") + 1)];
    if (shape === undefined) throw new DroverError("internal", `no Linear is called ${name}`);
    return shape;
  }
}

/** A table of embeddings in the checkpoint's own type. */
export class Embedding {
  readonly #bytes: Uint8Array;
  readonly #dtype: Dtype;
  readonly #width: number;

  constructor(bytes: Uint8Array, dtype: Dtype, width: number) {
    this.#bytes = bytes;
    this.#dtype = dtype;
    this.#width = width;
  }

  /** Writes the ids' rows into out_aD from row `firstRow` on. */
  gather(tokenIds: Int32Array, out_aD: Float32Array, firstRow: number): void {
    const width = this.#width;
    const rowBytes = this.#dtype === "F32" ? width * 4 : width * 2;
    for (const [i, id] of tokenIds.entries()) {
      const target = out_aD.subarray((firstRow + i) * width, (firstRow + i + 1) * width);
      const start = this.#bytes.byteOffset + id * rowBytes;
      if (this.#dtype === "BF16" && start % 2 === 0)
        bf16ToF32(new Uint16Array(this.#bytes.buffer, start, width), target);
      else target.set(toF32(this.#bytes.subarray(id * rowBytes, (id + 1) * rowBytes), this.#dtype));
    }
  }
}

/** Columns [from, from + count) of source [rows, columns] as [count, rows], each column times its scale. */
function transpose(
  source: Float32Array,
  rows: number,
  columns: number,
  from: number,
  count: number,
  scales: Float32Array | undefined,
): Float32Array {
  const out = new Float32Array(count * rows);
  for (let c = 0; c < count; c++) {
    const scale = scales?.[from + c] ?? 1;
    for (let r = 0; r < rows; r++) out[c * rows + r] = (source[r * columns + from + c] ?? 0) * scale;
  }
  return out;
}

import { basename } from "node:path";
import { assert, at, DroverError } from "@drover/core";
import { linearShape } from "@drover/llama4";
import type { ModelConfig } from "../config/model-config.ts";
import type { Checkpoint } from "../files/checkpoint.ts";
import { bytesOf } from "../files/dtype.ts";
import { Embedding } from "./embedding.ts";
import { scaleRows, toLinearBytes, toLinearLayout } from "./expert-layout.ts";
import { type LinearRows, readAllRows, stackRows } from "./linear-rows.ts";

/** One routed expert in Linear layout: the gate's rows and then up's, [2F, D]; down [D, F]. */
export type ExpertWeights = Readonly<{ gateUp: Float32Array; down: Float32Array }>;

const PREFIX = "language_model.";

/**
 * Llama 4's text tensors as dequantized f32 in Linear layout [out, in], whatever the file holds: bf16, f16, f32, FP8 with scales
 * (compressed-tensors and fbgemm), fused or one tensor an expert. Formats may be mixed: each tensor's own type decides.
 * Names are given without the `language_model.` prefix.
 */
export class TextWeights {
  readonly #checkpoint: Checkpoint;
  readonly #config: ModelConfig;
  readonly #prefix: string;

  constructor(checkpoint: Checkpoint, config: ModelConfig) {
    this.#checkpoint = checkpoint;
    this.#config = config;
    this.#prefix = checkpoint.has(`${PREFIX}model.norm.weight`) ? PREFIX : "";
  }

  /** A Linear's weight by its module name, [out, in]. Errors: `invalid_argument` naming file, tensor and shape. */
  async linear(name: string): Promise<Float32Array> {
    return readAllRows(await this.linearRows(name));
  }

  /** A Linear that is read in parts. Errors: as {@link linear}. */
  async linearRows(name: string): Promise<LinearRows> {
    const [outSize, inSize] = linearShape(name, this.#config);
    const tied = name === "lm_head" && this.#config.tieWordEmbeddings && !this.#has("lm_head.weight");
    return this.#scaledRows(tied ? "model.embed_tokens" : name, outSize, inSize);
  }

  /** The input embedding, [V, D], to be read in parts. Errors: as {@link linear}. */
  async embeddingRows(): Promise<LinearRows> {
    return this.#scaledRows("model.embed_tokens", this.#config.vocabSize, this.#config.hiddenSize);
  }

  /** A norm's weight, [D]. Errors: as {@link linear}. */
  async vector(name: string): Promise<Float32Array> {
    return this.#checkpoint.readF32(this.#checked(name, [this.#config.hiddenSize]));
  }

  /** Reads expert `e` of a layer, and no other expert's bytes. Errors: as {@link linear}. */
  async expert(layer: number, e: number): Promise<ExpertWeights> {
    const { gateUp, down } = await this.expertRows(layer, e);
    return { gateUp: await readAllRows(gateUp), down: await readAllRows(down) };
  }

  /** An expert that is read in parts: gate's rows and then up's, and down's. A fused matrix is kept as it is stored while its rows are in use. */
  async expertRows(layer: number, e: number): Promise<Readonly<{ gateUp: LinearRows; down: LinearRows }>> {
    const { hiddenSize: d, expertWidth: f, expertCount } = this.#config;
    assert(e >= 0 && e < expertCount, "an expert is one of the model's");
    const experts = `model.layers.${layer}.feed_forward.experts`;
    if (this.#has(`${experts}.gate_up_proj`)) return this.#fusedExpert(experts, e);
    const gate = await this.#scaledRows(`${experts}.${e}.gate_proj`, f, d);
    const up = await this.#scaledRows(`${experts}.${e}.up_proj`, f, d);
    return { gateUp: stackRows([gate, up]), down: await this.#scaledRows(`${experts}.${e}.down_proj`, d, f) };
  }

  /** The input embedding, in its own type; one row is converted at a time. Errors: as {@link linear}. */
  async embedding(): Promise<Embedding> {
    const { vocabSize, hiddenSize } = this.#config;
    const name = this.#checked("model.embed_tokens.weight", [vocabSize, hiddenSize]);
    const dtype = this.#checkpoint.weightDtype(name);
    if (dtype === "F8_E4M3") this.#fail(name, "is F8_E4M3; Drover reads embeddings in 16 or 32 bits");
    return new Embedding(await this.#checkpoint.readBytes(name), dtype, vocabSize, hiddenSize);
  }

  /** Fused tensors are [E, in, out]; columns 0..F-1 of gate_up are the gate, F..2F-1 up. */
  async #fusedExpert(experts: string, e: number): Promise<Readonly<{ gateUp: LinearRows; down: LinearRows }>> {
    const { hiddenSize: d, expertWidth: f, expertCount } = this.#config;
    // fbgemm's scales: one for each column of gate_up, and one for each output of down, whose axis is down_proj's last.
    const gateUp = await this.#fusedRows(`${experts}.gate_up_proj`, e, d, 2 * f, [expertCount, 1, 2 * f]);
    const down = await this.#fusedRows(`${experts}.down_proj`, e, f, d, [expertCount, d, 1]);
    return { gateUp, down };
  }

  async #fusedRows(
    name: string,
    e: number,
    inSize: number,
    outSize: number,
    scaleShape: readonly number[],
  ): Promise<LinearRows> {
    const tensor = this.#checked(name, [this.#config.expertCount, inSize, outSize]);
    const dtype = this.#checkpoint.weightDtype(tensor);
    const scales =
      dtype === "F8_E4M3"
        ? await this.#checkpoint.readF32Slice(this.#checked(`${name}_scale`, scaleShape), e, 1)
        : undefined;
    let bytes: Uint8Array | undefined;
    const whole = async (): Promise<Uint8Array> => {
      bytes ??= await this.#checkpoint.readSlice(tensor, e, 1);
      return bytes;
    };
    return {
      outSize,
      inSize,
      read: async (first, count) => toLinearLayout(await whole(), dtype, inSize, outSize, scales, first, count),
      stored: {
        dtype,
        scales,
        read: async (first, count) => toLinearBytes(await whole(), bytesOf(dtype, 1), inSize, outSize, first, count),
      },
    };
  }

  async #scaledRows(name: string, outSize: number, inSize: number): Promise<LinearRows> {
    const tensor = this.#checked(`${name}.weight`, [outSize, inSize]);
    const plain = (first: number, count: number) => this.#checkpoint.readF32Slice(tensor, first, count);
    const stored = (first: number, count: number) => this.#checkpoint.readSlice(tensor, first, count);
    const dtype = this.#checkpoint.weightDtype(tensor);
    if (dtype !== "F8_E4M3")
      return { outSize, inSize, read: plain, stored: { dtype, scales: undefined, read: stored } };
    const scale = `${this.#prefix}${name}.weight_scale`;
    const { shape } = this.#checkpoint.info(scale);
    const perTensor = shape.every((size) => size === 1);
    const perOutput = shape[0] === outSize && shape.slice(1).every((size) => size === 1);
    if (!perTensor && !perOutput) this.#fail(scale, `has shape [${shape}]; it must be [${outSize}, 1] or [1]`);
    const scales = await this.#checkpoint.readF32(scale);
    const read = async (first: number, count: number): Promise<Float32Array> => {
      const rows = await plain(first, count);
      scaleRows(rows, scales.length === 1 ? scales : scales.subarray(first, first + count), count);
      return rows;
    };
    const each = scales.length === 1 ? new Float32Array(outSize).fill(at(scales, 0)) : scales;
    return { outSize, inSize, read, stored: { dtype, scales: each, read: stored } };
  }

  #has(name: string): boolean {
    return this.#checkpoint.has(this.#prefix + name);
  }

  /** The tensor's whole name, once its shape is what config.json makes it. */
  #checked(name: string, shape: readonly number[]): string {
    const tensor = this.#prefix + name;
    const found = this.#checkpoint.info(tensor).shape;
    if (found.length !== shape.length || found.some((size, i) => size !== shape[i])) {
      this.#fail(tensor, `has shape [${found}] where config.json makes it [${shape}]`);
    }
    return tensor;
  }

  #fail(tensor: string, what: string): never {
    const file = basename(this.#checkpoint.info(tensor).file);
    throw new DroverError("invalid_argument", `${file}: tensor ${tensor} ${what}`);
  }
}

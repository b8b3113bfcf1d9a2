import { assert } from "@drover/core";
import { linearShape } from "@drover/llama4";
import type { ModelConfig } from "../config/model-config.ts";
import type { Checkpoint } from "../files/checkpoint.ts";
import { matrixRows } from "../stored/matrix-rows.ts";
import { hasFusedExperts, storedExperts } from "../stored/stored-experts.ts";
import { hasLinear, storedLinear } from "../stored/stored-linear.ts";
import type { StoredMatrix } from "../stored/stored-matrix.ts";
import { failTensor, requireFinite, requireShape } from "../stored/tensor-fault.ts";
import { Embedding } from "./embedding.ts";
import { type LinearRows, readAllRows, stackRows } from "./linear-rows.ts";

/** One routed expert in Linear layout: the gate's rows and then up's, [2F, D]; down [D, F]. */
export type ExpertWeights = Readonly<{ gateUp: Float32Array; down: Float32Array }>;

const PREFIX = "language_model.";

/**
 * Llama 4's text tensors as dequantized f32 in Linear layout [out, in], whatever the file holds: bf16, f16, f32, or what `storedLinear` and
 * `storedExperts` know, fused or one tensor an expert. Formats may be mixed: each tensor's own type decides.
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
    const isTied =
      name === "lm_head" && this.#config.tieWordEmbeddings && !hasLinear(this.#checkpoint, this.#prefix + name);
    return this.#rows(isTied ? "model.embed_tokens" : name, outSize, inSize);
  }

  /** The input embedding, [V, D], to be read in parts. Errors: as {@link linear}. */
  async embeddingRows(): Promise<LinearRows> {
    return this.#rows("model.embed_tokens", this.#config.vocabSize, this.#config.hiddenSize);
  }

  /** A norm's weight, [D]. Errors: as {@link linear}. */
  async vector(name: string): Promise<Float32Array> {
    const tensor = this.#checked(name, [this.#config.hiddenSize]);
    const values = await this.#checkpoint.readF32(tensor);
    requireFinite(this.#checkpoint, tensor, values);
    return values;
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
    const path = this.#prefix + experts;
    if (hasFusedExperts(this.#checkpoint, path)) {
      const { gateUp, down } = storedExperts(this.#checkpoint, path, this.#config, this.#config.storedForms);
      return { gateUp: await this.#expertRows(gateUp, e), down: await this.#expertRows(down, e) };
    }
    const gate = await this.#rows(`${experts}.${e}.gate_proj`, f, d);
    const up = await this.#rows(`${experts}.${e}.up_proj`, f, d);
    return { gateUp: stackRows([gate, up]), down: await this.#rows(`${experts}.${e}.down_proj`, d, f) };
  }

  /** The input embedding, in its own type; one row is converted at a time. Errors: as {@link linear}. */
  async embedding(): Promise<Embedding> {
    const { vocabSize, hiddenSize } = this.#config;
    const name = this.#checked("model.embed_tokens.weight", [vocabSize, hiddenSize]);
    const dtype = this.#checkpoint.weightDtype(name);
    if (dtype === "F8_E4M3") failTensor(this.#checkpoint, name, "is F8_E4M3; Drover reads embeddings in 16 or 32 bits");
    return new Embedding(await this.#checkpoint.readBytes(name), dtype, vocabSize, hiddenSize);
  }

  async #rows(name: string, outSize: number, inSize: number): Promise<LinearRows> {
    const stored = storedLinear(this.#checkpoint, this.#prefix + name, outSize, inSize, this.#config.storedForms);
    return matrixRows(this.#checkpoint, stored);
  }

  async #expertRows(matrix: StoredMatrix, index: number): Promise<LinearRows> {
    const { expert } = matrix;
    assert(expert !== undefined, "fused experts are stored by their index");
    return matrixRows(this.#checkpoint, { ...matrix, expert: { ...expert, index } });
  }

  /** The tensor's whole name, once its shape is what config.json makes it. */
  #checked(name: string, shape: readonly number[]): string {
    const tensor = this.#prefix + name;
    requireShape(this.#checkpoint, tensor, shape);
    return tensor;
  }
}

import { basename } from "node:path";
import { assert } from "@drover/core";
import type { FileRange, LinearWeight, MappedLinear } from "@drover/llama4";
import type { ModelConfig } from "../config/model-config.ts";
import { fillExactly, openFile } from "../files/safetensors.ts";
import type { LinearRows } from "../tensors/linear-rows.ts";
import { dequantizeLinear } from "../tensors/quantize.ts";
import { type StoredLines, stackLines } from "../tensors/stored-lines.ts";
import type { MlpRows, TextRows } from "../tensors/text-rows.ts";
import type { TextWeights } from "../tensors/text-weights.ts";
import type { ConvertedWeights, MappedMlp } from "./converted-weights.ts";

/** The weights of a converted checkpoint as its files have them, for who computes with integers in blocks by kernels of its own. Errors: those of {@link ConvertedWeights}. */
export class ConvertedTextRows implements TextRows {
  readonly #converted: ConvertedWeights;
  readonly #kept: TextWeights;
  readonly #config: ModelConfig;

  /** `kept`: of the converted folder's own tensors. */
  constructor(converted: ConvertedWeights, kept: TextWeights, config: ModelConfig) {
    this.#converted = converted;
    this.#kept = kept;
    this.#config = config;
  }

  vector(name: string): Promise<Float32Array> {
    return this.#converted.vector(name);
  }

  async attention(layer: number): Promise<Readonly<{ qkv: LinearRows; output: LinearRows }>> {
    const { hiddenSize, headCount, headDim } = this.#config;
    const { qkv } = await this.#converted.attention(layer);
    const output = await this.#converted.output(layer);
    return { qkv: fileRows(qkv, hiddenSize), output: fileRows(output, headCount * headDim) };
  }

  async dense(layer: number): Promise<MlpRows> {
    return this.#mlp(await this.#converted.dense(layer), this.#config.denseWidth);
  }

  async shared(layer: number): Promise<MlpRows> {
    return this.#mlp(await this.#converted.shared(layer), this.#config.expertWidth);
  }

  async expert(layer: number, expert: number): Promise<MlpRows> {
    return this.#mlp(await this.#converted.expert(layer, expert), this.#config.expertWidth);
  }

  async router(layer: number): Promise<LinearRows> {
    await this.#converted.checkKept("text.safetensors");
    return this.#kept.linearRows(`model.layers.${layer}.feed_forward.router`);
  }

  async head(): Promise<LinearRows> {
    const head: LinearWeight = await this.#converted.head();
    if (head.kind === "mapped") return fileRows(head, this.#config.hiddenSize);
    return this.#kept.linearRows("lm_head");
  }

  async embedding(): Promise<LinearRows> {
    await this.#converted.checkKept("embedding.safetensors");
    return this.#kept.embeddingRows();
  }

  #mlp({ gateUp, down }: MappedMlp, width: number): MlpRows {
    return { gateUp: fileRows(gateUp, this.#config.hiddenSize), down: fileRows(down, width) };
  }
}

type Part = MappedLinear["parts"][number];

/** A Linear [out, in] that is read from its files as it lies there. */
function fileRows({ bits, blockSize, parts }: MappedLinear, inSize: number): LinearRows {
  const outSize = parts.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const lines = stackLines(parts.map((part) => fileLines(part, bits, blockSize)));
  assert(lines !== undefined, "the parts of a converted Linear are alike");
  const read = async (first: number, count: number): Promise<Float32Array> => {
    const packed = new Uint8Array(count * lines.lineBytes);
    await lines.fill(first, packed);
    const each = Math.ceil(inSize / blockSize);
    const scales = (await lines.scales()).subarray(first * each, (first + count) * each);
    return dequantizeLinear({ kind: "quantized", bits, blockSize, packed, scales }, count, inSize);
  };
  return { outSize, inSize, read, stored: lines };
}

function fileLines({ file, rowCount, packed, scales }: Part, bits: 4 | 8, blockSize: number): StoredLines {
  const lineBytes = packed.length / rowCount;
  return {
    form: bits === 4 ? "U4" : "U8",
    isTransposed: false,
    lineCount: rowCount,
    lineBytes,
    groupSize: blockSize,
    scales: async () => {
      const values = new Float32Array(scales.length / Float32Array.BYTES_PER_ELEMENT);
      await fillFrom(file, scales, 0, new Uint8Array(values.buffer));
      return values;
    },
    fill: (first, target) => fillFrom(file, packed, first * lineBytes, target),
  };
}

/** Reads bytes of a range from `start` on. The file is opened for one read: a model has thousands. */
async function fillFrom(path: string, range: FileRange, start: number, target: Uint8Array): Promise<void> {
  assert(start + target.byteLength <= range.length, "a read stays inside its range");
  await using file = await openFile(path);
  await fillExactly(file, range.offset + start, target, basename(path));
}

import {
  convertedFiles,
  headFormat,
  isDtype,
  linearBytes,
  type ModelConfig,
  type Quantization,
} from "@drover/checkpoint";
import { assert } from "@drover/core";
import type { TensorShape } from "@drover/llama4";
import { type LinearSizes, quantizedTensors } from "@drover/planning";

/** What `drover convert` writes: how many files of weights, their bytes, and what these are. The others sum to `byteCount`. */
export type ConvertedTotals = Readonly<{
  fileCount: number;
  byteCount: number;
  /** The plan's own total. */
  weightBytes: number;
  /** The same weights once more, as CPU kernels pack them. */
  preparedBytes: number;
  /** Headers and padding. */
  overheadBytes: number;
}>;

const HEAD = "lm_head.weight";

/** Whether a tensor is the head's weights, packed or not. */
export const isHead = (name: string): boolean => /(^|\.)lm_head\.weight(_packed)?$/.test(name);

/** The tensors as they are served with `--quantize`. A head that is tied to the embeddings becomes one of its own where heads are quantized. */
export function quantized(
  tensors: readonly TensorShape[],
  model: ModelConfig,
  quantization: Quantization,
): TensorShape[] {
  const head = headFormat(quantization);
  const isTied = model.tieWordEmbeddings && !tensors.some(({ name }) => isHead(name));
  const embeddings = tensors.find(({ name }) => name.endsWith("model.embed_tokens.weight"));
  const own = isTied && head !== null && embeddings !== undefined ? [{ ...embeddings, name: HEAD }] : [];
  return quantizedTensors([...tensors, ...own], {
    layers: sizesOf(quantization),
    head: head === null ? null : sizesOf(head),
  });
}

function sizesOf(format: Quantization): LinearSizes {
  const linearBytesOf = (outSize: number, inSize: number) => linearBytes(outSize, inSize, format);
  return { dtype: `int${format.bits}`, linearBytes: linearBytesOf };
}

/** Sums the files that converting these tensors writes; index, manifest and copied files are not among them. */
export function convertedTotals(
  model: ModelConfig,
  tensors: readonly TensorShape[],
  quantization: Quantization,
): ConvertedTotals {
  const shapes = tensors.map(({ name, dtype, shape }) => {
    assert(isDtype(dtype), "shapes come from headers or have a type of the format");
    return { name, dtype, shape };
  });
  const files = convertedFiles(model, shapes, quantization);
  const sum = (size: "byteCount" | "weightBytes" | "preparedBytes" | "overheadBytes") =>
    files.reduce((total, file) => total + file[size], 0);
  return {
    fileCount: files.length,
    byteCount: sum("byteCount"),
    weightBytes: sum("weightBytes"),
    preparedBytes: sum("preparedBytes"),
    overheadBytes: sum("overheadBytes"),
  };
}

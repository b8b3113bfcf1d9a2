import type { FieldReader } from "../files/json-file.ts";

/**
 * What a checkpoint's quantization says that shapes of tensors alone leave open. It never decides whether a tensor is quantized: that its own type
 * and its scales do.
 */
export type StoredForms = Readonly<{
  /** Inputs that share one scale, where weights are scaled in groups. */
  groupSizes: readonly number[];
  /** Outputs and inputs of a block with one scale. */
  blocks: readonly (readonly [outSize: number, inSize: number])[];
  /** Bits of a packed integer. */
  bits: readonly number[];
  /** Activations were meant to be quantized too; Drover computes them in f32. */
  quantizesActivations: boolean;
}>;

/** A form of which nothing is said. */
export const PLAIN_FORMS: StoredForms = { groupSizes: [], blocks: [], bits: [], quantizesActivations: false };

/** What a message about another form ends with. */
export const SERVED_FORMS =
  "Drover reads bf16, f16 and f32, FP8 by fbgemm, compressed-tensors, ModelOpt or transformers, and w4a16, w8a8 and NVFP4 by compressed-tensors or ModelOpt: " +
  "take the model in one of these";

/** A block's two sides. */
export function readBlock(at: FieldReader, field: string, size: readonly unknown[]): readonly [number, number] {
  const [outSize, inSize] = size;
  const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0;
  if (size.length !== 2 || !isSize(outSize) || !isSize(inSize))
    return at.fail(field, "must be two whole numbers above 0");
  return [outSize, inSize];
}

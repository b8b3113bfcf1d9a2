import { elementCount, type TensorShape } from "./tensor-shape.ts";

/** Numbers in 16 or 32 bits. */
export type PlainFormat = Readonly<{ kind: "plain"; dtype: string; elementBytes: number }>;

/** FP8 or int8, times scales: one an output unless `grid` says one for all, or one for each block [outputs, inputs]. */
type ScaledFormat = Readonly<{
  kind: "fp8" | "int8";
  scaleDtype: string;
  scaleBytes: number;
  grid?: "outputs" | "whole" | readonly [outSize: number, inSize: number];
  /** Who wrote it, and so how scales are called; absent, fbgemm of fused experts and compressed-tensors of Linears. */
  by?: "modelopt" | "transformers";
}>;

/** Integers of few bits in 32-bit words, in groups of inputs or one scale an output. Source: compressed-tensors, pack_quantized/base.py. */
type PackedFormat = Readonly<{
  kind: "packed";
  bits: number;
  groupSize: number | null;
  isSymmetric: boolean;
  scaleDtype: string;
  scaleBytes: number;
}>;

/** Two floats of 4 bits a byte, in groups of 16 with a scale in FP8, and one more scale in f32. */
type Nvfp4Format = Readonly<{ kind: "nvfp4"; by: "compressed-tensors" | "modelopt" }>;

/** How a Linear's numbers are stored. */
export type StoredFormat = PlainFormat | ScaledFormat | PackedFormat | Nvfp4Format;

const NVFP4_GROUP = 16;
const WORD_BITS = 32;

/** A Linear's tensors [out, in], by its module's path. */
export function linearTensors(path: string, outSize: number, inSize: number, format: StoredFormat): TensorShape[] {
  const weight = `${path}.weight`;
  switch (format.kind) {
    case "plain":
      return [plainTensor(weight, [outSize, inSize], format)];
    case "fp8":
    case "int8": {
      const isInverse = format.by === "transformers" && Array.isArray(format.grid);
      const [rows, columns] = gridOf(format, outSize, inSize);
      const shape = format.grid === "whole" ? [] : [rows, columns];
      return [
        byteTensor(weight, [outSize, inSize], format),
        scaleTensor(`${weight}_scale${isInverse ? "_inv" : ""}`, shape, format),
      ];
    }
    case "packed":
      return packedTensors(weight, outSize, inSize, format);
    case "nvfp4": {
      const isPacked = format.by === "compressed-tensors";
      return [
        {
          ...tensor(isPacked ? `${weight}_packed` : weight, "U8", [outSize, inSize / 2], 1),
          weightShape: [outSize, inSize],
        },
        tensor(`${weight}_scale`, "F8_E4M3", [outSize, inSize / NVFP4_GROUP], 1),
        tensor(isPacked ? `${weight}_global_scale` : `${weight}_scale_2`, "F32", isPacked ? [1] : [], 4),
      ];
    }
  }
}

/**
 * A fused tensor of all experts [E, in, out]. The scales of fbgemm's `down_proj` have its output as their second dimension. Packed integers are of Linears
 * alone, so that there they are left as they are: `plain` is what the tensor is then.
 */
export function fusedTensors(
  name: string,
  [expertCount, inSize, outSize]: readonly [number, number, number],
  format: StoredFormat,
  plain: PlainFormat,
): TensorShape[] {
  const shape = [expertCount, inSize, outSize] as const;
  switch (format.kind) {
    case "plain":
      return [plainTensor(name, shape, format)];
    case "packed":
      return [plainTensor(name, shape, plain)];
    case "fp8":
    case "int8":
      return [byteTensor(name, shape, format), fusedScale(name, shape, format)];
    case "nvfp4":
      return [
        { ...tensor(name, "U8", [expertCount, inSize / 2, outSize], 1), weightShape: shape },
        tensor(`${name}_weight_scale`, "F8_E4M3", [expertCount, inSize / NVFP4_GROUP, outSize], 1),
        tensor(`${name}_weight_scale_2`, "F32", [], 4),
      ];
  }
}

function fusedScale(
  name: string,
  [expertCount, inSize, outSize]: readonly [number, number, number],
  format: ScaledFormat,
): TensorShape {
  const suffix = format.by === "modelopt" ? "_weight_scale" : format.by === "transformers" ? "_scale_inv" : "_scale";
  if (format.grid === "whole") return scaleTensor(name + suffix, [], format);
  const [rows, columns] = gridOf(format, outSize, inSize);
  if (columns > 1 || rows < outSize) return scaleTensor(name + suffix, [expertCount, columns, rows], format);
  const scales = name.endsWith("down_proj") ? [expertCount, outSize, 1] : [expertCount, 1, outSize];
  return scaleTensor(name + suffix, scales, format);
}

function gridOf({ grid = "outputs" }: ScaledFormat, outSize: number, inSize: number): readonly [number, number] {
  if (grid === "outputs") return [outSize, 1];
  if (grid === "whole") return [1, 1];
  return [Math.ceil(outSize / grid[0]), Math.ceil(inSize / grid[1])];
}

function packedTensors(weight: string, outSize: number, inSize: number, format: PackedFormat): TensorShape[] {
  const { bits, groupSize, isSymmetric, scaleDtype, scaleBytes } = format;
  const groups = groupSize === null ? 1 : Math.ceil(inSize / groupSize);
  const words = (count: number) => Math.ceil((count * bits) / WORD_BITS);
  const packed = tensor(`${weight}_packed`, "I32", [outSize, words(inSize)], 4);
  const zeros = isSymmetric ? [] : [tensor(`${weight}_zero_point`, "I32", [words(outSize), groups], 4)];
  return [
    { ...packed, weightShape: [outSize, inSize] },
    tensor(`${weight}_scale`, scaleDtype, [outSize, groups], scaleBytes),
    tensor(`${weight}_shape`, "I64", [2], 8),
    ...zeros,
  ];
}

export function plainTensor(name: string, shape: readonly number[], { dtype, elementBytes }: PlainFormat): TensorShape {
  return tensor(name, dtype, shape, elementBytes);
}

function byteTensor(name: string, shape: readonly number[], { kind }: ScaledFormat): TensorShape {
  return tensor(name, kind === "fp8" ? "F8_E4M3" : "I8", shape, 1);
}

function scaleTensor(name: string, shape: readonly number[], { scaleDtype, scaleBytes }: ScaledFormat): TensorShape {
  return tensor(name, scaleDtype, shape, scaleBytes);
}

function tensor(name: string, dtype: string, shape: readonly number[], elementBytes: number): TensorShape {
  return { name, dtype, shape, byteCount: elementCount(shape) * elementBytes };
}

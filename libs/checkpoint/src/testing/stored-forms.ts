import type { TestTensor } from "./write-safetensors.ts";
import { bf16Tensor, f32Tensor } from "./write-safetensors.ts";

/** A Linear's tensors in some form, by what follows its path, and the weights that they stand for, [out, in]. */
export type WrittenLinear = Readonly<{ tensors: Record<string, TestTensor>; weight: Float32Array }>;

/** Numbers below `below`, always the same for a seed; whole. */
export function codes(count: number, below: number, seed: number): number[] {
  let state = (seed * 2_654_435_761 + 12_345) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  });
}

/** Scales that bf16 holds, of about this size and all different. */
export function scalesOf(count: number, seed: number, size = 1 / 64): number[] {
  return codes(count, 127, seed).map((code) => ((code + 65) / 128) * size);
}

export const bytesTensor = (dtype: string, shape: number[], bytes: Iterable<number>): TestTensor => ({
  dtype,
  shape,
  data: Uint8Array.from(bytes),
});

/** The 256 numbers of float8_e4m3fn, straight from its definition. */
export const E4M3 = Array.from({ length: 256 }, (_, byte) => {
  const [sign, exponent, fraction] = [byte >> 7, (byte >> 3) & 15, byte & 7];
  if (exponent === 15 && fraction === 7) return Number.NaN;
  const size = exponent === 0 ? (fraction / 8) * 2 ** -6 : (1 + fraction / 8) * 2 ** (exponent - 7);
  return sign === 1 ? -size : size;
});

/** A byte that is a number of float8_e4m3fn. */
export const e4m3Code = (code: number): number => (Number.isNaN(E4M3[code]) ? 0x38 : code);

/** The 16 numbers of float4_e2m1fn. */
export const E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
  .flatMap((size) => [size])
  .concat([0, 0.5, 1, 1.5, 2, 3, 4, 6].map((n) => -n));

/** Integers of some bits around zero, packed densely along the rows of [rows, columns], 32 bits a word, as `pack_to_int32` does. */
function packInt32(values: readonly number[], rows: number, columns: number, bits: number): Uint8Array {
  const words = Math.ceil((columns * bits) / 32);
  const out = new Uint32Array(rows * words);
  values.forEach((value, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const word = row * words + Math.floor((column * bits) / 32);
    out[word] = ((out[word] ?? 0) | ((value + 2 ** (bits - 1)) << ((column * bits) % 32))) >>> 0;
  });
  return new Uint8Array(out.buffer);
}

export type PackedOptions = Readonly<{
  bits: 4 | 8;
  /** 0: a scale for each output. */
  groupSize: number;
  isAsymmetric: boolean;
  /** The group of each input, in another order than theirs. */
  isReordered: boolean;
}>;

/** compressed-tensors' `pack-quantized`: w4a16 and w8a16. */
export function packQuantized(outSize: number, inSize: number, options: PackedOptions, seed: number): WrittenLinear {
  const { bits, isAsymmetric, isReordered } = options;
  const groupSize = options.groupSize === 0 ? inSize : options.groupSize;
  const groups = Math.ceil(inSize / groupSize);
  const [least, span] = [-(2 ** (bits - 1)), 2 ** bits];
  const numbers = codes(outSize * inSize, span, seed).map((code) => code + least);
  const scales = scalesOf(outSize * groups, seed + 1);
  const zeros = codes(outSize * groups, span, seed + 2).map((code) => code + least);
  const groupOf = Array.from({ length: inSize }, (_, i) => Math.floor((isReordered ? inSize - 1 - i : i) / groupSize));
  const tensors: Record<string, TestTensor> = {
    weight_packed: {
      dtype: "I32",
      shape: [outSize, Math.ceil((inSize * bits) / 32)],
      data: packInt32(numbers, outSize, inSize, bits),
    },
    weight_scale: bf16Tensor([outSize, groups], scales),
    weight_shape: {
      dtype: "I64",
      shape: [2],
      data: new Uint8Array(BigInt64Array.of(BigInt(outSize), BigInt(inSize)).buffer),
    },
  };
  if (isAsymmetric) {
    // Along the outputs: packed as the rows of its transpose, and laid back.
    const turned = Array.from(
      { length: groups * outSize },
      (_, i) => zeros[(i % outSize) * groups + Math.floor(i / outSize)] ?? 0,
    );
    const words = Math.ceil((outSize * bits) / 32);
    const packed = new Uint32Array(packInt32(turned, groups, outSize, bits).buffer);
    const laid = Uint32Array.from(
      { length: words * groups },
      (_, i) => packed[(i % groups) * words + Math.floor(i / groups)] ?? 0,
    );
    tensors.weight_zero_point = { dtype: "I32", shape: [words, groups], data: new Uint8Array(laid.buffer) };
  }
  if (isReordered)
    tensors.weight_g_idx = { dtype: "I32", shape: [inSize], data: new Uint8Array(Int32Array.from(groupOf).buffer) };
  const weight = Float32Array.from(numbers, (number, at) => {
    const group = Math.floor(at / inSize) * groups + (groupOf[at % inSize] ?? 0);
    return (number - (isAsymmetric ? (zeros[group] ?? 0) : 0)) * (scales[group] ?? 0);
  });
  return { tensors, weight };
}

export type ScaledOptions = Readonly<{
  numbers: "fp8" | "int8";
  strategy: "tensor" | "channel" | "group" | "block";
  /** Of a group. */
  groupSize?: number;
  /** Of a block. */
  block?: readonly [number, number];
  scaleName?: "weight_scale" | "weight_scale_inv";
  isAsymmetric?: boolean;
  /** About how large scales are. */
  size?: number;
}>;

/** compressed-tensors' `float-quantized` and `int-quantized`, ModelOpt's FP8, and transformers' FP8 of blocks. */
export function scaled(outSize: number, inSize: number, options: ScaledOptions, seed: number): WrittenLinear {
  const {
    numbers,
    strategy,
    groupSize = 32,
    block = [128, 128],
    scaleName = "weight_scale",
    isAsymmetric = false,
  } = options;
  const sizes = { tensor: [outSize, inSize], channel: [1, inSize], group: [1, groupSize], block: [...block] };
  const [rowSize = 1, columnSize = 1] = sizes[strategy];
  const [rows, columns] = [Math.ceil(outSize / rowSize), Math.ceil(inSize / columnSize)];
  const bytes = codes(outSize * inSize, 256, seed).map((code) => (numbers === "fp8" ? e4m3Code(code) : code));
  const scales = scalesOf(rows * columns, seed + 1, options.size);
  const zeros = codes(rows * columns, 256, seed + 2).map((code) => (isAsymmetric ? code - 128 : 0));
  const shape = strategy === "tensor" ? [] : [rows, columns];
  const tensors: Record<string, TestTensor> = {
    weight: bytesTensor(numbers === "fp8" ? "F8_E4M3" : "I8", [outSize, inSize], bytes),
    [scaleName]: strategy === "block" || strategy === "tensor" ? f32Tensor(shape, scales) : bf16Tensor(shape, scales),
  };
  if (isAsymmetric) tensors.weight_zero_point = bytesTensor("I8", shape, zeros);
  const weight = Float32Array.from(bytes, (byte, at) => {
    const scale = Math.floor(Math.floor(at / inSize) / rowSize) * columns + Math.floor((at % inSize) / columnSize);
    const number = numbers === "fp8" ? (E4M3[byte] ?? 0) : (byte << 24) >> 24;
    return (number - (zeros[scale] ?? 0)) * Math.fround(scales[scale] ?? 0);
  });
  return { tensors, weight };
}

/** NVFP4: as compressed-tensors packs it, whose second scale divides, or as ModelOpt does, whose second scale multiplies. */
export function nvfp4(
  outSize: number,
  inSize: number,
  by: "compressed-tensors" | "modelopt",
  seed: number,
): WrittenLinear {
  const groups = inSize / 16;
  const numbers = codes(outSize * inSize, 16, seed);
  const scaleCodes = codes(outSize * groups, 127, seed + 1);
  const second = Math.fround(by === "modelopt" ? 0.001_37 * ((seed % 7) + 1) : 733.3 * ((seed % 7) + 1));
  const packed = Uint8Array.from(
    { length: numbers.length / 2 },
    (_, i) => (numbers[2 * i] ?? 0) | ((numbers[2 * i + 1] ?? 0) << 4),
  );
  const isPacked = by === "compressed-tensors";
  const tensors: Record<string, TestTensor> = {
    [isPacked ? "weight_packed" : "weight"]: { dtype: "U8", shape: [outSize, inSize / 2], data: packed },
    weight_scale: bytesTensor("F8_E4M3", [outSize, groups], scaleCodes),
    [isPacked ? "weight_global_scale" : "weight_scale_2"]: f32Tensor(isPacked ? [1] : [], [second]),
    [isPacked ? "input_global_scale" : "input_scale"]: f32Tensor(isPacked ? [1] : [], [3]),
  };
  const weight = Float32Array.from(numbers, (code, at) => {
    const scale = E4M3[scaleCodes[Math.floor(at / inSize) * groups + Math.floor((at % inSize) / 16)] ?? 0] ?? 0;
    return (E2M1[code] ?? 0) * Math.fround(isPacked ? scale / second : scale * second);
  });
  return { tensors, weight };
}

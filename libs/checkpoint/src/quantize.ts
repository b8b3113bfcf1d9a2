import { assert } from "@drover/core";
import type { BlockSize, Quantization } from "./quantization.ts";

/** A Linear [out, in] quantized by rows and blocks, as MatMulNBits reads it: see `LinearWeight` of the graphs. */
export type QuantizedLinear = Readonly<{
  kind: "quantized";
  bits: 4 | 8;
  blockSize: BlockSize;
  /** [out, ceil(in / blockSize), blockSize * bits / 8]; of 4 bits the lower nibble first. */
  packed: Uint8Array;
  /** [out, ceil(in / blockSize)]. */
  scales: Float32Array;
}>;

/**
 * Rounds each block of a Linear [out, in] to signed integers times a scale of its own; an input size that is no multiple of the block ends in a short block,
 * filled up with zeros. The number of largest magnitude takes the end of the range that has one step more (-8, -128), so that no code is wasted.
 */
export function quantizeLinear(
  weight: Float32Array,
  outSize: number,
  inSize: number,
  { bits, blockSize }: Quantization,
): QuantizedLinear {
  assert(weight.length === outSize * inSize, "a Linear has its shape's size");
  const blockCount = Math.ceil(inSize / blockSize);
  const zero = bits === 4 ? 8 : 128;
  const scales = new Float32Array(outSize * blockCount);
  const packed = new Uint8Array((outSize * blockCount * blockSize * bits) / 8).fill(bits === 4 ? 0x88 : zero);
  const blockBytes = (blockSize * bits) / 8;
  for (let out = 0; out < outSize; out++) {
    for (let block = 0; block < blockCount; block++) {
      const from = out * inSize + block * blockSize;
      const to = Math.min(from + blockSize, (out + 1) * inSize);
      const scale = Math.fround(peakOf(weight, from, to) / -zero || 0);
      scales[out * blockCount + block] = scale;
      const inverse = scale === 0 ? 0 : 1 / scale;
      const target = (out * blockCount + block) * blockBytes;
      if (bits === 4) packNibbles(weight, from, to, inverse, packed, target);
      else packBytes(weight, from, to, inverse, packed, target);
    }
  }
  return { kind: "quantized", bits, blockSize, packed, scales };
}

/** The number of largest magnitude, with its sign. */
function peakOf(weight: Float32Array, from: number, to: number): number {
  let least = 0;
  let most = 0;
  for (let i = from; i < to; i++) {
    const w = weight[i] ?? 0;
    if (w < least) least = w;
    if (w > most) most = w;
  }
  return -least > most ? least : most;
}

function packNibbles(weight: Float32Array, from: number, to: number, inverse: number, packed: Uint8Array, at: number) {
  for (let i = from, byte = at; i < to; i += 2, byte++) {
    const low = Math.min(15, ((weight[i] ?? 0) * inverse + 8.5) | 0);
    const high = i + 1 < to ? Math.min(15, ((weight[i + 1] ?? 0) * inverse + 8.5) | 0) : 8;
    packed[byte] = low | (high << 4);
  }
}

function packBytes(weight: Float32Array, from: number, to: number, inverse: number, packed: Uint8Array, at: number) {
  for (let i = from, byte = at; i < to; i++, byte++)
    packed[byte] = Math.min(255, ((weight[i] ?? 0) * inverse + 128.5) | 0);
}

/** What a quantized Linear stands for, [out, in]. */
export function dequantizeLinear(quantized: QuantizedLinear, outSize: number, inSize: number): Float32Array {
  const { bits, blockSize, packed, scales } = quantized;
  const blockCount = Math.ceil(inSize / blockSize);
  const weight = new Float32Array(outSize * inSize);
  for (let out = 0; out < outSize; out++) {
    for (let i = 0; i < inSize; i++) {
      const block = out * blockCount + Math.floor(i / blockSize);
      const at = block * blockSize + (i % blockSize);
      const code = bits === 8 ? (packed[at] ?? 0) - 128 : (((packed[at >> 1] ?? 0) >> (4 * (at & 1))) & 15) - 8;
      weight[out * inSize + i] = code * (scales[block] ?? 0);
    }
  }
  return weight;
}

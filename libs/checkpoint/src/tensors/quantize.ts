import { assert } from "@drover/core";
import { QUANTIZE_SCRATCH_BYTES } from "../limits.ts";
import type { LinearRows } from "./linear-rows.ts";
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

/** Quantizes a Linear while it is read, some rows at a time: beside the result only those are in memory. Errors: the reader's. */
export async function quantizeRows(linear: LinearRows, quantization: Quantization): Promise<QuantizedLinear> {
  const { outSize, inSize } = linear;
  const quantized = emptyLinear(outSize, inSize, quantization);
  const rowsMax = Math.max(1, Math.floor(QUANTIZE_SCRATCH_BYTES / (Float32Array.BYTES_PER_ELEMENT * inSize)));
  for (let first = 0; first < outSize; first += rowsMax) {
    const count = Math.min(rowsMax, outSize - first);
    fillRows(quantized, await linear.read(first, count), first, count, inSize);
  }
  return quantized;
}

/**
 * Rounds each block of a Linear [out, in] to signed integers times a scale of its own; an input size that is no multiple of the block ends in a short block,
 * filled up with zeros. Rows and blocks are quantized by themselves.
 */
export function quantizeLinear(
  weight: Float32Array,
  outSize: number,
  inSize: number,
  quantization: Quantization,
): QuantizedLinear {
  const quantized = emptyLinear(outSize, inSize, quantization);
  fillRows(quantized, weight, 0, outSize, inSize);
  return quantized;
}

/** Every weight zero. */
function emptyLinear(outSize: number, inSize: number, { bits, blockSize }: Quantization): QuantizedLinear {
  const blockCount = outSize * Math.ceil(inSize / blockSize);
  const packed = new Uint8Array((blockCount * blockSize * bits) / 8).fill(bits === 4 ? 0x88 : 128);
  return { kind: "quantized", bits, blockSize, packed, scales: new Float32Array(blockCount) };
}

/** Quantizes rows [first, first + count), given as `weight`, into their places. */
function fillRows(into: QuantizedLinear, weight: Float32Array, first: number, count: number, inSize: number): void {
  assert(weight.length === count * inSize, "a Linear has its shape's size");
  const { bits, blockSize, packed, scales } = into;
  const blockCount = Math.ceil(inSize / blockSize);
  const blockBytes = (blockSize * bits) / 8;
  for (let row = 0; row < count; row++) {
    for (let block = 0; block < blockCount; block++) {
      const from = row * inSize + block * blockSize;
      const to = Math.min(from + blockSize, (row + 1) * inSize);
      const at = (first + row) * blockCount + block;
      const peak = peakOf(weight, from, to);
      if (peak === 0) continue;
      const scale = Math.fround(bits === 4 ? bestScale(weight, from, to, peak) : peak / -128);
      scales[at] = scale;
      if (bits === 4) packNibbles(weight, from, to, 1 / scale, packed, at * blockBytes);
      else packBytes(weight, from, to, 1 / scale, packed, at * blockBytes);
    }
  }
}

/** The number of largest magnitude, with its sign: it takes the end of the range that has one step more (-8, -128), so that no code is wasted. */
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

/** Where the peak may come to lie, in steps: a little less range, or a little more, fits most blocks better than exactly their own. */
const [LESS, EXACT, MORE] = [8.75, 8, 7.25];

/**
 * The 4-bit scale of least squared error among three roundings of the block, each with the scale that suits its codes best, sum(w q) / sum(q q): the error is
 * then sum(w w) - sum(w q)^2 / sum(q q).
 */
function bestScale(weight: Float32Array, from: number, to: number, peak: number): number {
  const a = -LESS / peak;
  const b = -EXACT / peak;
  const c = -MORE / peak;
  let wa = 0;
  let wb = 0;
  let wc = 0;
  let qa = 0;
  let qb = 0;
  let qc = 0;
  for (let i = from; i < to; i++) {
    const w = weight[i] ?? 0;
    const x = nibble(w * a) - 8;
    const y = nibble(w * b) - 8;
    const z = nibble(w * c) - 8;
    wa += w * x;
    wb += w * y;
    wc += w * z;
    qa += x * x;
    qb += y * y;
    qc += z * z;
  }
  const [gainA, gainB, gainC] = [(wa * wa) / qa, (wb * wb) / qb, (wc * wc) / qc];
  if (gainA > gainB && gainA > gainC) return wa / qa;
  return gainB >= gainC ? wb / qb : wc / qc;
}

/** The code of a weight in steps, 0 to 15, 8 being zero. */
function nibble(steps: number): number {
  return Math.min(15, Math.max(0, (steps + 8.5) | 0));
}

function packNibbles(weight: Float32Array, from: number, to: number, inverse: number, packed: Uint8Array, at: number) {
  const pairsEnd = from + ((to - from) & ~1);
  let byte = at;
  for (let i = from; i < pairsEnd; i += 2, byte++)
    packed[byte] = nibble((weight[i] ?? 0) * inverse) | (nibble((weight[i + 1] ?? 0) * inverse) << 4);
  if (pairsEnd < to) packed[byte] = nibble((weight[pairsEnd] ?? 0) * inverse) | (8 << 4);
}

function packBytes(weight: Float32Array, from: number, to: number, inverse: number, packed: Uint8Array, at: number) {
  for (let i = from, byte = at; i < to; i++, byte++) {
    packed[byte] = Math.min(255, ((weight[i] ?? 0) * inverse + 128.5) | 0);
  }
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

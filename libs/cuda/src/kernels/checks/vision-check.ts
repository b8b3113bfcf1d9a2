import { visionRopeTables } from "@drover/llama4";
import type { Precision } from "../activations.ts";
import { patchWidth, type VisionSizes } from "../vision-kernels.ts";
import { type CheckedCard, relativeError } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

const EPSILON = 1e-5;
/** Heads whose numbers are no power of two, as Llama 4's 88 are, and more rows than a block has. */
const SIZES: VisionSizes = { hiddenSize: 48, headCount: 2, headDim: 24, gridSize: 10, patchSize: 3, shuffle: 2 };
/** As large as a head of Llama 4's. */
const WIDE: VisionSizes = { hiddenSize: 88, headCount: 1, headDim: 88, gridSize: 2, patchSize: 14, shuffle: 1 };
const TILES = 2;

const rowsOf = ({ gridSize }: VisionSizes) => gridSize ** 2 + 1;

function patchesError(card: CheckedCard, random: Random, precision: Precision): number {
  const { gridSize, patchSize } = SIZES;
  const [side, width, rowCount] = [gridSize * patchSize, patchWidth(SIZES), TILES * gridSize ** 2];
  const pixels = Uint8Array.from({ length: TILES * side * side * 3 }, () => random.integer(256));
  const kernels = card.vision(SIZES, precision);
  const x = card.room(rowCount * kernels.activations.rowBytes(width));
  kernels.patches(TILES, card.put(pixels), x);
  const expected = new Float64Array(rowCount * width);
  for (let row = 0; row < rowCount; row++)
    for (let i = 0; i < 3 * patchSize ** 2; i++) {
      const [tile, patch] = [Math.floor(row / gridSize ** 2), row % gridSize ** 2];
      const [channel, within] = [Math.floor(i / patchSize ** 2), i % patchSize ** 2];
      const y = Math.floor(patch / gridSize) * patchSize + Math.floor(within / patchSize);
      const at = (y * side + (patch % gridSize) * patchSize + (within % patchSize)) * 3 + channel;
      expected[row * width + i] = (pixels[tile * side * side * 3 + at] as number) / 127.5 - 1;
    }
  return relativeError(card.readActivations(x, rowCount, width, precision), expected);
}

function tileRowsError(card: CheckedCard, random: Random): number {
  const { hiddenSize: width, gridSize } = SIZES;
  const rows = rowsOf(SIZES);
  const [projected, classRow] = [random.floats(TILES * gridSize ** 2 * width), random.floats(width)];
  const positions = random.floats(rows * width);
  const h = card.room(4 * TILES * rows * width);
  const step = { projected: card.put(projected), classRow: card.put(classRow), positions: card.put(positions), h };
  card.vision(SIZES, "f32").tileRowsOf(TILES, step);
  const expected = Float32Array.from({ length: TILES * rows * width }, (_, at) => {
    const [row, i] = [Math.floor(at / width), at % width];
    const [tile, place] = [Math.floor(row / rows), row % rows];
    const own = place < rows - 1 ? projected[(tile * (rows - 1) + place) * width + i] : classRow[i];
    return (own as number) + (positions[place * width + i] as number);
  });
  return relativeError(card.floats(h, TILES * rows * width), expected);
}

/** (v - mean) / sqrt(variance + epsilon) * weight + bias, in f64. */
function layerNorm(v: readonly number[], weight: Float32Array, bias: Float32Array): number[] {
  const mean = v.reduce((sum, each) => sum + each, 0) / v.length;
  const variance = v.reduce((sum, each) => sum + (each - mean) ** 2, 0) / v.length;
  const scale = 1 / Math.sqrt(variance + EPSILON);
  return v.map((each, i) => (each - mean) * scale * (weight[i] as number) + (bias[i] as number));
}

/** The same norm to rows of activations, back to where the rows are, and to rows of whole squares of patches. */
function normError(card: CheckedCard, random: Random, precision: Precision): number {
  const { hiddenSize: width, gridSize, shuffle } = SIZES;
  const [rows, rowCount, side] = [rowsOf(SIZES), TILES * rowsOf(SIZES), gridSize / shuffle];
  const [h, y, yBias] = [random.floats(rowCount * width), random.floats(rowCount * width), random.floats(width)];
  const [weight, bias] = [random.floats(width), random.floats(width)];
  const kernels = card.vision(SIZES, precision);
  const own = { weight: card.put(weight), bias: card.put(bias) };
  const added = { y: card.put(y), bias: card.put(yBias) };
  const [first, second, third] = [card.put(h), card.put(h), card.put(h)];
  const x = card.room(rowCount * kernels.activations.rowBytes(width));
  const squares = card.room(TILES * side ** 2 * kernels.activations.rowBytes(width * shuffle ** 2));
  kernels.normalize(rowCount, { h: first, added, ...own, x });
  kernels.normalizeInPlace(rowCount, { h: second, ...own });
  kernels.normalizeShuffled(TILES, { h: third, added, ...own, x: squares });
  const sums = Array.from(h, (value, at) => value + (y[at] as number) + (yBias[at % width] as number));
  const normed = (from: ArrayLike<number>) =>
    Array.from({ length: rowCount }, (_, row) =>
      layerNorm(
        Array.from({ length: width }, (_, i) => from[row * width + i] as number),
        weight,
        bias,
      ),
    );
  const withSums = normed(sums);
  const square = (at: number) => {
    const [tile, place] = [Math.floor(at / side ** 2), at % side ** 2];
    const [y0, x0] = [Math.floor(place / side) * shuffle, (place % side) * shuffle];
    const patches = Array.from(
      { length: shuffle ** 2 },
      (_, i) => (y0 + Math.floor(i / shuffle)) * gridSize + x0 + (i % shuffle),
    );
    return patches.flatMap((patch) => withSums[tile * rows + patch] as number[]);
  };
  const wanted = Array.from({ length: TILES * side ** 2 }, (_, at) => square(at)).flat();
  const foundSquares = card.readActivations(squares, TILES * side ** 2, width * shuffle ** 2, precision);
  return Math.max(
    relativeError(card.readActivations(x, rowCount, width, precision), Float64Array.from(withSums.flat())),
    relativeError(card.floats(second, rowCount * width), Float64Array.from(normed(h).flat())),
    relativeError(foundSquares, Float64Array.from(wanted)),
    relativeError(card.floats(first, rowCount * width), Float64Array.from(sums)),
  );
}

/** Queries, keys and values with their bias, turned: [rows, 3 * width] in f64. */
function turned(qkv: Float32Array, bias: Float32Array, { cos, sin }: Angles, sizes: VisionSizes): Float64Array {
  const { hiddenSize: width, headDim } = sizes;
  const out = Float64Array.from(qkv, (value, at) => value + (bias[at % (3 * width)] as number));
  for (let at = 0; at < out.length; at += 2) {
    const [row, column] = [Math.floor(at / (3 * width)), at % (3 * width)];
    if (column >= 2 * width) continue;
    const angle = ((row % rowsOf(sizes)) * headDim) / 2 + (column % headDim) / 2;
    const [a, b] = [out[at] as number, out[at + 1] as number];
    const [c, s] = [cos[angle] as number, sin[angle] as number];
    [out[at], out[at + 1]] = [a * c - b * s, a * s + b * c];
  }
  return out;
}

type Angles = Readonly<Record<"cos" | "sin", Float32Array>>;

/** Each tile's rows to all of them, in f64. */
function attended(qkv: ArrayLike<number>, sizes: VisionSizes): Float64Array {
  const { hiddenSize: width, headDim } = sizes;
  const rows = rowsOf(sizes);
  const out = new Float64Array((qkv.length / 3) | 0);
  const at = (row: number, part: number, i: number) => qkv[row * 3 * width + part * width + i] as number;
  for (let row = 0; row < out.length / width; row++)
    for (let head = 0; head < width; head += headDim) {
      const first = Math.floor(row / rows) * rows;
      const scores = Array.from({ length: rows }, (_, key) => {
        let dot = 0;
        for (let i = head; i < head + headDim; i++) dot += at(row, 0, i) * at(first + key, 1, i);
        return dot / Math.sqrt(headDim);
      });
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (let i = head; i < head + headDim; i++)
        out[row * width + i] = weights.reduce((sum, weight, key) => sum + (weight / total) * at(first + key, 2, i), 0);
    }
  return out;
}

function attentionError(card: CheckedCard, random: Random, precision: Precision, sizes: VisionSizes): number {
  const { hiddenSize: width } = sizes;
  const rowCount = TILES * rowsOf(sizes);
  const [qkv, bias] = [random.floats(rowCount * 3 * width, 2), random.floats(3 * width)];
  const tables = visionRopeTables({ ...sizes, ropeTheta: 10_000 });
  const angles = new Float32Array(2 * tables.cos.length);
  for (const [i, value] of tables.cos.entries()) angles.set([value, tables.sin[i] as number], 2 * i);
  const kernels = card.vision(sizes, precision);
  const heads = card.put(qkv);
  const y = card.room(rowCount * kernels.activations.rowBytes(width));
  kernels.turnHeads(TILES, { qkv: heads, bias: card.put(bias), angles: card.put(angles) });
  kernels.attend(TILES, { qkv: heads, y });
  const expected = turned(qkv, bias, tables, sizes);
  const foundHeads = precision === "f32" ? card.floats : card.splitNumbers;
  const turnError = relativeError(foundHeads.call(card, heads, rowCount * 3 * width), expected);
  const found = card.readActivations(y, rowCount, width, precision);
  return Math.max(turnError, relativeError(found, attended(expected, sizes)));
}

/** The integral of 2 / sqrt(pi) exp(-t^2) from 0 to x, by its series. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

function bendError(card: CheckedCard, random: Random, precision: Precision): number {
  const [rowCount, width] = [20, 1040];
  const [y, bias] = [random.floats(rowCount * width, 2), random.floats(width)];
  const kernels = card.vision(SIZES, precision);
  const x = card.room(rowCount * kernels.activations.rowBytes(width));
  const [from, biased] = [card.put(y), card.put(y)];
  kernels.bend(rowCount, { y: from, bias: card.put(bias), x, width });
  kernels.addBias(rowCount, { y: biased, bias: card.put(bias), width });
  const sums = Float64Array.from(y, (value, at) => value + (bias[at % width] as number));
  const expected = sums.map((v) => (v / 2) * (1 + erf(v / Math.SQRT2)));
  return Math.max(
    relativeError(card.readActivations(x, rowCount, width, precision), expected),
    relativeError(card.floats(biased, rowCount * width), sums),
  );
}

/** The kernels of the vision encoder. */
export const visionChecks: readonly KernelCheck[] = [
  { name: "tiles' rows", errorMax: 1e-7, run: tileRowsError },
  ...(["f32", "f16"] as const).flatMap((precision): KernelCheck[] => [
    { name: `patches of tiles, ${precision}`, errorMax: 1e-6, run: (...of) => patchesError(...of, precision) },
    { name: `layer norm, ${precision}`, errorMax: 1e-6, run: (...of) => normError(...of, precision) },
    { name: `bias and GELU, ${precision}`, errorMax: 1e-6, run: (...of) => bendError(...of, precision) },
    {
      name: `attention in tiles, ${precision}`,
      errorMax: 1e-6,
      run: (...of) => attentionError(...of, precision, SIZES),
    },
    {
      name: `attention with heads of 88, ${precision}`,
      errorMax: 1e-6,
      run: (...of) => attentionError(...of, precision, WIDE),
    },
  ]),
];

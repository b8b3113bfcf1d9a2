import { at } from "@drover/core";
import { rowTiles } from "../../model/row-tiles.ts";
import type { Precision } from "../activations.ts";
import type { KernelSizes } from "../kernel-sizes.ts";
import { type CheckedCard, relativeError } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

/** Rows of one sequence, at its last positions, whose page i is page `order[i]`. */
type Setting = Readonly<{
  sizes: Omit<KernelSizes, "kv">;
  positions: Int32Array;
  firsts: Int32Array;
  order: Int32Array;
  layers: number;
  /** Rows that lie behind each other at positions that do: where there are many they attend in tiles. */
  runs?: readonly Readonly<{ first: number; count: number; position: number }>[];
}>;

/** Pairs of a row and a part that there is room for. */
const PARTS_ROOM = 256;

/** Rotated and normed as a layer with both does it: pairs of neighbours, then the head over its rms. In f64. */
function turned(
  head: readonly number[],
  position: number,
  angles: Float32Array,
  { chunkSize }: Pick<KernelSizes, "chunkSize">,
): number[] {
  const half = head.length / 2;
  const out = head.map((_, i) => {
    const pair = Math.floor(i / 2);
    const place = 2 * ((position % chunkSize) * half + pair);
    const [cos, sin] = [angles[place] as number, angles[place + 1] as number];
    const [a, b] = [head[2 * pair] as number, head[2 * pair + 1] as number];
    return i % 2 === 0 ? a * cos - b * sin : a * sin + b * cos;
  });
  const scale = 1 / Math.sqrt(out.reduce((sum, v) => sum + v * v, 0) / out.length + 1e-5);
  return out.map((v) => v * scale);
}

/** What a query attends to, and the logarithm of its sum of weights. */
function softmaxSum(q: readonly number[], keys: readonly number[][], values: readonly number[][]) {
  const scores = keys.map((key) => key.reduce((sum, k, i) => sum + k * (q[i] as number), 0) / Math.sqrt(q.length));
  const top = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  const weights = scores.map((score) => Math.exp(score - top));
  const all = weights.reduce((sum, w) => sum + w, 0);
  const out = new Array<number>(q.length).fill(0);
  for (const [j, value] of values.entries())
    for (const [i, v] of value.entries()) out[i] = (out[i] as number) + ((weights[j] as number) * v) / all;
  return { out, lse: top + Math.log(all) };
}

/** What the last rows of a sequence attend to, [rows, H*d], and the logarithms of their sums of weights, [rows, H]. */
function expectedRows({ sizes, positions, firsts }: Setting, qkv: Float32Array, angles: Float32Array) {
  const { headCount, kvHeadCount, headDim } = sizes;
  const width = (headCount + 2 * kvHeadCount) * headDim;
  const length = qkv.length / width;
  const asking = length - positions.length;
  const head = (row: number, index: number) => [
    ...qkv.subarray(row * width + index * headDim, row * width + (index + 1) * headDim),
  ];
  const places = Array.from({ length }, (_, p) => p);
  const kvHeads = Array.from({ length: kvHeadCount }, (_, kv) => ({
    keys: places.map((p) => turned(head(p, headCount + kv), p, angles, sizes)),
    values: places.map((p) => head(p, headCount + kvHeadCount + kv)),
  }));
  const expected = [...positions.keys()].flatMap((row) =>
    Array.from({ length: headCount }, (_, index) => {
      const [first, last] = [firsts[row] as number, positions[row] as number];
      if (last < 0) return { out: new Array<number>(headDim).fill(0), lse: Number.NaN };
      const { keys, values } = at(kvHeads, Math.floor(index / (headCount / kvHeadCount)));
      const ask = turned(head(asking + row, index), asking + row, angles, sizes).map((v) => v * 1.25);
      return softmaxSum(ask, keys.slice(first, last + 1), values.slice(first, last + 1));
    }),
  );
  return {
    rows: Float64Array.from(expected.flatMap(({ out }) => out)),
    lse: Float64Array.from(expected, ({ lse }) => lse),
  };
}

/** Writes a sequence's rows through `rotate` and attends with its last ones; the reference keeps all in f64. */
function attentionError(
  card: CheckedCard,
  random: Random,
  setting: Setting,
  precision: Precision,
  kv: Precision,
): number {
  const { sizes, positions, firsts, order, layers } = setting;
  const { headCount, kvHeadCount, headDim, chunkSize, pageRows } = sizes;
  const kernels = card.kernels({ ...sizes, kv }, precision);
  const length = Math.max(...positions) + 1;
  const width = (headCount + 2 * kvHeadCount) * headDim;
  const qkv = random.floats(length * width);
  const angles = Float32Array.from({ length: chunkSize * headDim }, (_, i) => {
    const angle = Math.floor(i / headDim) / (1 + Math.floor((i % headDim) / 2));
    return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
  const layer = layers - 1;
  const unitBytes = 2 * pageRows * kvHeadCount * headDim * (kv === "f32" ? 4 : 2);
  const layerPages = { pages: card.room((Math.max(...order) + layers) * unitBytes), table: card.put(order), layer };
  const every = Int32Array.from({ length }, (_, position) => position);
  const slots = every.map((p) => (order[Math.floor(p / pageRows)] as number) * pageRows + (p % pageRows));
  const q = card.room(4 * length * headCount * headDim);
  const zeros = card.put(new Int32Array(length));
  kernels.rotate(length, {
    qkv: card.put(qkv),
    q,
    at: layerPages,
    places: { starts: zeros, firsts: zeros, slots: card.put(slots) },
    positions: card.put(every),
    angles: card.put(angles),
    temperatures: card.put(new Float32Array(length).fill(1.25)),
    epsilon: 1e-5,
  });
  const rows = positions.length;
  const y = card.room(rows * kernels.activations.rowBytes(headCount * headDim));
  const seen = Math.max(...[...positions].map((p, i) => p - (firsts[i] as number) + 1));
  const asking = length - rows;
  const runs = setting.runs ?? [];
  const { tiles, spans } = rowTiles(runs, chunkSize, kernels.tileRows);
  const lse = card.room(4 * rows * headCount);
  kernels.attend(rows, {
    q: q + BigInt(4 * asking * headCount * headDim),
    at: layerPages,
    places: { starts: zeros, firsts: card.put(firsts), slots: zeros },
    positions: card.put(positions),
    seen,
    tiling: { spans, list: card.put(Int32Array.of(...tiles, 0)), tileCount: tiles.length, positions: length },
    sums: card.room(4 * PARTS_ROOM * headCount * headDim),
    marks: card.room(8 * PARTS_ROOM * headCount),
    y,
    lse,
  });
  const expected = expectedRows(setting, qkv, angles);
  const found = relativeError(card.readActivations(y, rows, headCount * headDim, precision), expected.rows);
  // An idle row's is not said.
  const isSaid = (_: number, i: number) => (positions[Math.floor(i / headCount)] as number) >= 0;
  const sums = card.floats(lse, rows * headCount).filter(isSaid);
  return Math.max(found, relativeError(sums, expected.lse.filter(isSaid)));
}

function attentionCheck(setting: Setting, precision: Precision, kv: Precision, errorMax: number): KernelCheck {
  const { headCount, kvHeadCount, headDim } = setting.sizes;
  const kind = setting.runs === undefined ? "attend" : "attend in tiles";
  return {
    name: `rotate and ${kind}, ${headCount}/${kvHeadCount} x ${headDim}, ${Math.max(...setting.positions) + 1} positions, ${precision}, KV in ${kv}`,
    errorMax,
    run: (card, random) => attentionError(card, random, setting, precision, kv),
  };
}

const small: Setting = {
  sizes: { headCount: 4, kvHeadCount: 2, headDim: 16, chunkSize: 32, pageRows: 32 },
  // Two rows of a chunk, one that sees everything, and one that is idle.
  positions: Int32Array.of(69, 70, 71, -1),
  firsts: Int32Array.of(64, 64, 0, 0),
  order: Int32Array.of(6, 0, 3),
  layers: 2,
};
const long: Setting = {
  sizes: { headCount: 5, kvHeadCount: 1, headDim: 128, chunkSize: 256, pageRows: 64 },
  positions: Int32Array.of(199),
  firsts: Int32Array.of(0),
  order: Int32Array.of(2, 4, 0, 1),
  layers: 1,
};

const range = (from: number, to: number, each: (position: number) => number) =>
  Array.from({ length: to - from }, (_, i) => each(from + i));
/** A row by itself, and then those of two chunks, at other positions than their own. */
const chunks: Setting = {
  ...small,
  positions: Int32Array.of(33, ...range(40, 72, (p) => p)),
  firsts: Int32Array.of(0, ...range(40, 72, (p) => p - (p % 32))),
  runs: [
    { first: 0, count: 1, position: 33 },
    { first: 1, count: 32, position: 40 },
  ],
};
/** Three tiles, the last of few rows, behind a prefix, and as rows lie for many. */
const prefixed: Setting = {
  ...long,
  positions: Int32Array.from(range(129, 199, (p) => p)),
  firsts: new Int32Array(70),
  runs: [{ first: 0, count: 70, position: 129 }],
};
/** Two parts of the positions, the second of which the first rows do not see. */
const parted: Setting = {
  sizes: { headCount: 2, kvHeadCount: 1, headDim: 64, chunkSize: 2048, pageRows: 64 },
  positions: Int32Array.from(range(505, 530, (p) => p)),
  firsts: new Int32Array(25),
  order: Int32Array.of(8, 3, 1, 0, 7, 2, 5, 4, 6),
  layers: 1,
  runs: [{ first: 0, count: 25, position: 505 }],
};

/** Attention over pages, behind the rotation that fills them. An idle row's position is counted like the last one's row. */
export const attentionChecks: readonly KernelCheck[] = [
  attentionCheck(small, "f32", "f32", 1e-5),
  attentionCheck(small, "f16", "f16", 1e-4),
  attentionCheck(long, "f16", "f16", 1e-4),
  attentionCheck(chunks, "f16", "f32", 2e-6),
  attentionCheck(chunks, "f16", "f16", 1e-4),
  attentionCheck(prefixed, "f16", "f32", 2e-6),
  attentionCheck(prefixed, "f16", "f16", 1e-4),
  attentionCheck(parted, "f16", "f32", 2e-6),
];

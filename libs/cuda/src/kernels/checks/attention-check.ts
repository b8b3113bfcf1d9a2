import type { Precision } from "../activations.ts";
import { type KernelSizes, partCount } from "../model-kernels.ts";
import { type CheckedCard, relativeError } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

/** Rows of one sequence, at its last positions, whose page i is page `order[i]`. */
type Setting = Readonly<{
  sizes: Omit<KernelSizes, "kv">;
  positions: Int32Array;
  firsts: Int32Array;
  order: Int32Array;
  layers: number;
}>;

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
    const at = 2 * ((position % chunkSize) * half + pair);
    const [cos, sin] = [angles[at] as number, angles[at + 1] as number];
    const [a, b] = [head[2 * pair] as number, head[2 * pair + 1] as number];
    return i % 2 === 0 ? a * cos - b * sin : a * sin + b * cos;
  });
  const scale = 1 / Math.sqrt(out.reduce((sum, v) => sum + v * v, 0) / out.length + 1e-5);
  return out.map((v) => v * scale);
}

function softmaxSum(q: readonly number[], keys: readonly number[][], values: readonly number[][]): number[] {
  const scores = keys.map((key) => key.reduce((sum, k, i) => sum + k * (q[i] as number), 0) / Math.sqrt(q.length));
  const top = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const all = weights.reduce((sum, w) => sum + w, 0);
  return q.map((_, i) => weights.reduce((sum, w, j) => sum + w * (values[j]?.[i] as number), 0) / all);
}

/** What the last rows of a sequence attend to, [rows, H*d]. */
function expectedRows({ sizes, positions, firsts }: Setting, qkv: Float32Array, angles: Float32Array): Float64Array {
  const { headCount, kvHeadCount, headDim } = sizes;
  const width = (headCount + 2 * kvHeadCount) * headDim;
  const asking = qkv.length / width - positions.length;
  const head = (row: number, index: number) => [
    ...qkv.subarray(row * width + index * headDim, row * width + (index + 1) * headDim),
  ];
  const expected = [...positions.keys()].flatMap((row) =>
    Array.from({ length: headCount }, (_, index) => {
      const [first, last] = [firsts[row] as number, positions[row] as number];
      if (last < 0) return new Array<number>(headDim).fill(0);
      const kv = Math.floor(index / (headCount / kvHeadCount));
      const seen = Array.from({ length: last - first + 1 }, (_, i) => first + i);
      const ask = turned(head(asking + row, index), asking + row, angles, sizes).map((v) => v * 1.25);
      const keys = seen.map((p) => turned(head(p, headCount + kv), p, angles, sizes));
      return softmaxSum(
        ask,
        keys,
        seen.map((p) => head(p, headCount + kvHeadCount + kv)),
      );
    }).flat(),
  );
  return Float64Array.from(expected);
}

/** Writes a sequence's rows through `rotate` and attends with its last ones; the reference keeps all in f64. */
function attentionError(card: CheckedCard, random: Random, setting: Setting, precision: Precision): number {
  const { sizes, positions, firsts, order, layers } = setting;
  const { headCount, kvHeadCount, headDim, chunkSize, pageRows } = sizes;
  const kernels = card.kernels({ ...sizes, kv: precision }, precision);
  const length = Math.max(...positions) + 1;
  const width = (headCount + 2 * kvHeadCount) * headDim;
  const qkv = random.floats(length * width);
  const angles = Float32Array.from({ length: chunkSize * headDim }, (_, i) => {
    const angle = Math.floor(i / headDim) / (1 + Math.floor((i % headDim) / 2));
    return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
  const layer = layers - 1;
  const unitBytes = 2 * pageRows * kvHeadCount * headDim * (precision === "f32" ? 4 : 2);
  const at = { pages: card.room((Math.max(...order) + layers) * unitBytes), table: card.put(order), layer };
  const every = Int32Array.from({ length }, (_, position) => position);
  const slots = every.map((p) => (order[Math.floor(p / pageRows)] as number) * pageRows + (p % pageRows));
  const q = card.room(4 * length * headCount * headDim);
  const zeros = card.put(new Int32Array(length));
  kernels.rotate(length, {
    qkv: card.put(qkv),
    q,
    at,
    places: { starts: zeros, firsts: zeros, slots: card.put(slots) },
    positions: card.put(every),
    angles: card.put(angles),
    temperatures: card.put(new Float32Array(length).fill(1.25)),
    epsilon: 1e-5,
  });
  const rows = positions.length;
  const y = card.room(rows * kernels.activations.rowBytes(headCount * headDim));
  const parts = Math.max(...[...positions].map((p, i) => partCount(p - (firsts[i] as number) + 1)));
  const asking = length - rows;
  kernels.attend(rows, {
    q: q + BigInt(4 * asking * headCount * headDim),
    at,
    places: { starts: zeros, firsts: card.put(firsts), slots: zeros },
    positions: card.put(positions),
    parts,
    sums: card.room(4 * rows * parts * headCount * headDim),
    marks: card.room(8 * rows * parts * headCount),
    y,
  });
  const expected = expectedRows(setting, qkv, angles);
  return relativeError(card.readActivations(y, rows, headCount * headDim, precision), expected);
}

function attentionCheck(setting: Setting, precision: Precision, errorMax: number): KernelCheck {
  const { headCount, kvHeadCount, headDim } = setting.sizes;
  return {
    name: `rotate and attend, ${headCount}/${kvHeadCount} x ${headDim}, ${Math.max(...setting.positions) + 1} positions, ${precision}`,
    errorMax,
    run: (card, random) => attentionError(card, random, setting, precision),
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

/** Attention over pages, behind the rotation that fills them. An idle row's position is counted like the last one's row. */
export const attentionChecks: readonly KernelCheck[] = [
  attentionCheck(small, "f32", 1e-5),
  attentionCheck(small, "f16", 1e-4),
  attentionCheck(long, "f16", 1e-4),
];

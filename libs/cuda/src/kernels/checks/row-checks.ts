import type { Precision } from "../activations.ts";
import { rankBytes } from "../model-kernels.ts";
import { type CheckedCard, relativeError, toBf16 } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

const SIZES = { headCount: 2, kvHeadCount: 1, headDim: 8, chunkSize: 64, pageRows: 64, kv: "f32" } as const;

/** x = weight * v / rms(v), in f64. */
function norm(v: readonly number[], weight: Float32Array, epsilon: number): number[] {
  const square = v.reduce((sum, each) => sum + each * each, 0) / v.length;
  return v.map((each, i) => ((weight[i] as number) * each) / Math.sqrt(square + epsilon));
}

function normCheck(precision: Precision, errorMax: number): KernelCheck {
  const [width, epsilon] = [72, 1e-5];
  return {
    name: `norm, two rows added, ${precision}`,
    errorMax,
    run: (card, random) => {
      const [h, a, b] = [random.floats(4 * width), random.floats(4 * width), random.floats(4 * width)];
      const weight = random.floats(width);
      const kernels = card.kernels(SIZES, precision);
      const x = card.room(4 * kernels.activations.rowBytes(width));
      const exact = card.room(4 * 4 * width);
      const other = card.room(4 * kernels.activations.rowBytes(width));
      kernels.normalize(4, {
        h: card.put(h),
        added: [card.put(a), card.put(b)],
        weight: card.put(weight),
        x,
        exact,
        other,
        width,
        epsilon,
      });
      const sums = Array.from(h, (value, i) => value + (a[i] as number) + (b[i] as number));
      const rows = [0, 1, 2, 3].flatMap((row) => norm(sums.slice(row * width, (row + 1) * width), weight, epsilon));
      const expected = Float64Array.from(rows);
      const exactError = relativeError(card.floats(exact, 4 * width), expected);
      const errors = [x, other].map((rows) => relativeError(card.readActivations(rows, 4, width, precision), expected));
      return Math.max(exactError, ...errors);
    },
  };
}

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

const swigluCheck: KernelCheck = {
  name: "swiglu, scaled rows",
  errorMax: 1e-6,
  run: (card, random) => {
    const [rows, width] = [3, 300];
    const gateUp = random.floats(rows * 2 * width, 3);
    const scales = Float32Array.from({ length: rows }, () => random.unit());
    const out = card.room(4 * rows * width);
    card.kernels(SIZES, "f32").swiglu(rows, { gateUp: card.put(gateUp), scales: card.put(scales), out, width });
    const expected = Float64Array.from({ length: rows * width }, (_, at) => {
      const [row, i] = [Math.floor(at / width), at % width];
      const [gate, up] = [gateUp[row * 2 * width + i] as number, gateUp[row * 2 * width + width + i] as number];
      const scale = scales[row] as number;
      return silu(scale * gate) * scale * up;
    });
    return relativeError(card.floats(out, rows * width), expected);
  },
};

const embedCheck: KernelCheck = {
  name: "embed",
  errorMax: 0,
  run: (card, random) => {
    const [width, vocab] = [40, 9];
    const table = random.floats(vocab * width);
    const ids = random.integers(5, vocab);
    const h = card.room(4 * 5 * width);
    card.kernels(SIZES, "f32").embed(5, {
      ids: card.put(ids),
      table: { kind: "bf16", address: card.put(toBf16(table)) },
      h,
      width,
    });
    const rows = [...ids].flatMap((id) => [...table.subarray(id * width, (id + 1) * width)]);
    return relativeError(card.floats(h, 5 * width), Float32Array.from(rows));
  },
};

const routerCheck: KernelCheck = {
  name: "router",
  errorMax: 1e-6,
  run: (card, random) => {
    const [rows, expertCount, width] = [6, 5, 2056];
    const [x, w] = [random.floats(rows * width), random.floats(expertCount * width)];
    const logits = card.room(4 * rows * expertCount);
    const matrix = { kind: "bf16", address: card.put(toBf16(w)) } as const;
    card.kernels(SIZES, "f32").router(rows, { x: card.put(x), matrix, logits, expertCount, width });
    const expected = Float64Array.from({ length: rows * expertCount }, (_, at) => {
      const [row, expert] = [Math.floor(at / expertCount), at % expertCount];
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (x[row * width + i] as number) * (w[expert * width + i] as number);
      return sum;
    });
    return relativeError(card.floats(logits, rows * expertCount), expected);
  },
};

/** 0 where the ids are equal, infinite where one is not, otherwise the error of the numbers. */
function rankError(card: CheckedCard, random: Random): number {
  const [rows, vocabSize, topCount] = [3, 5000, 7];
  const logits = random.floats(rows * vocabSize, 8);
  const asked = random.integers(rows, vocabSize);
  const [ids, values, logSumExps, askedValues] = [
    card.room(4 * rows * topCount),
    card.room(4 * rows * topCount),
    card.room(4 * rows),
    card.room(4 * rows),
  ];
  const { candidates, marks } = rankBytes(rows, topCount);
  const between = { candidates: card.room(candidates), marks: card.room(marks) };
  const step = { ...between, ids, values, logSumExps, askedValues, vocabSize, topCount };
  card.kernels(SIZES, "f32").rank(rows, { logits: card.put(logits), asked: card.put(asked), ...step });
  const found: number[] = [];
  const expected: number[] = [];
  for (let row = 0; row < rows; row++) {
    const own = [...logits.subarray(row * vocabSize, (row + 1) * vocabSize)];
    const best = own.map((value, id) => ({ value, id })).sort((a, b) => b.value - a.value || a.id - b.id);
    const top = best.slice(0, topCount);
    const mine = card.ints(ids, rows * topCount).subarray(row * topCount, (row + 1) * topCount);
    if (top.some(({ id }, k) => mine[k] !== id)) return Number.POSITIVE_INFINITY;
    expected.push(...top.map(({ value }) => value), Math.log(own.reduce((sum, value) => sum + Math.exp(value), 0)));
    expected.push(own[asked[row] as number] as number);
    found.push(...card.floats(values, rows * topCount).subarray(row * topCount, (row + 1) * topCount));
    found.push(card.floats(logSumExps, rows)[row] as number, card.floats(askedValues, rows)[row] as number);
  }
  return relativeError(Float32Array.from(found), Float64Array.from(expected));
}

/** Kernels that look at a row by itself. */
export const rowChecks: readonly KernelCheck[] = [
  normCheck("f32", 1e-6),
  normCheck("f16", 1e-6),
  routerCheck,
  swigluCheck,
  embedCheck,
  { name: "rank", errorMax: 1e-6, run: rankError },
];

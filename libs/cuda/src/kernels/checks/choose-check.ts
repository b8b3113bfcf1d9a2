import { type CheckedCard, relativeError, toBf16 } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

const SIZES = { headCount: 2, kvHeadCount: 1, headDim: 8, chunkSize: 64, pageRows: 64, kv: "f32" } as const;

function normOf(values: Float32Array, weight: Float32Array, epsilon: number): number[] {
  const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  return Array.from(values, (value, i) => ((weight[i] as number) * value) / Math.sqrt(square + epsilon));
}

/** Infinite where a row has another expert than its best logit's, or jobs of other rows; otherwise the largest error of norms, what is added, and scales. */
function chooseError(card: CheckedCard, random: Random): number {
  const [rows, width, expertCount, epsilon] = [3, 2056, 5, 1e-5];
  const [before, added, weight] = [random.floats(rows * width, 2), random.floats(rows * width), random.floats(width)];
  // Numbers that bf16 has.
  const router = random.floats(expertCount * width).map((value) => Math.round(16 * value) / 16);
  const kernels = card.kernels(SIZES, "f16");
  const stride = kernels.activations.rowBytes(width);
  const [h, exact, x] = [card.room(4 * rows * width), card.room(4 * rows * width), card.room(rows * stride)];
  const [chosen, scales, order] = [card.room(4 * rows), card.room(4 * rows), card.room(8 * rows)];
  const [jobs, jobCount] = [card.room(16 * 2 * rows), card.room(4)];
  const arrived = card.put(new Int32Array(1));
  const step = () =>
    kernels.choose(rows, {
      ...{ before: card.put(before), added: card.put(added), h, weight: card.put(weight), x, exact, arrived },
      matrix: { kind: "bf16", address: card.put(toBf16(router)) },
      logits: card.room(4 * rows * expertCount),
      live: card.put(Int32Array.of(rows)),
      places: card.put(Int32Array.from({ length: expertCount }, (_, expert) => expert)),
      routing: { scales, order, jobs, jobCount, jobCountMax: 2 * rows, expertCount },
      ...{ chosen, expertCount, stride: 1, column: 0, width, epsilon },
    });
  // A second time: what counts the blocks begins at 0 again.
  for (let turn = 0; turn < 2; turn++) step();
  const sums = before.map((value, i) => value + (added[i] as number));
  const each = Array.from({ length: rows }, (_, row) =>
    normOf(sums.subarray(row * width, (row + 1) * width), weight, epsilon),
  );
  const best = each.map((own) => {
    const logits = Array.from({ length: expertCount }, (_, expert) =>
      own.reduce((sum, value, i) => sum + value * (router[expert * width + i] as number), 0),
    );
    const most = Math.max(...logits);
    return { expert: logits.indexOf(most), scale: 1 / (1 + Math.exp(-most)) };
  });
  const [ids, sorted] = [card.ints(chosen, rows), card.ints(order, rows)];
  const list = card.ints(jobs, 4 * (card.ints(jobCount, 1)[0] as number));
  const routed = Array.from({ length: list.length / 4 }, (_, job) => {
    const [place, first, count] = list.subarray(4 * job, 4 * job + 3) as unknown as [number, number, number];
    return [...sorted.subarray(first, first + count)].map((row) => `${place}:${row}`);
  }).flat();
  const wanted = best.map(({ expert }, row) => `${expert}:${row}`);
  if (routed.sort().join() !== wanted.sort().join() || best.some(({ expert }, row) => ids[row] !== expert))
    return Number.POSITIVE_INFINITY;
  const norms = Float64Array.from(each.flat());
  return Math.max(
    relativeError(card.floats(h, rows * width), Float64Array.from(sums)),
    relativeError(card.floats(exact, rows * width), norms),
    relativeError(card.readActivations(x, rows, width, "f16"), norms),
    relativeError(
      card.floats(scales, rows),
      Float64Array.from(best, ({ scale }) => scale),
    ),
  );
}

/** Few rows' norm, logits and experts in one launch. */
export const chooseChecks: readonly KernelCheck[] = [
  { name: "choose, norm and experts of three rows", errorMax: 1e-6, run: chooseError },
];

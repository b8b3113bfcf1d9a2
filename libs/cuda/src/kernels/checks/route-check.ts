import { jobCountMax } from "../linear-kernels.ts";
import type { CheckedCard } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

const SIZES = { headCount: 2, kvHeadCount: 1, headDim: 8, chunkSize: 64, pageRows: 64, kv: "f32" } as const;

/** Infinite unless every row is in one job of its expert, in order, experts that are elsewhere have none, and all live rows are the shared expert's; otherwise the scales' largest error. */
function routeError(card: CheckedCard, random: Random, isShared: boolean): number {
  const [rowCount, live, expertCount, stride, column, fold] = [50, 45, 12, 3, 1, 64];
  const logits = random.floats(rowCount * expertCount, 4);
  const places = Int32Array.from({ length: expertCount }, (_, e) => (e % 4 === 3 ? -1 : expertCount - e));
  const [chosen, scales] = [card.room(4 * rowCount * stride), card.room(4 * rowCount)];
  const order = card.room(8 * rowCount);
  const jobsMax = jobCountMax(rowCount, expertCount, "f32");
  const [jobs, jobCount] = [card.room(16 * jobsMax), card.room(4)];
  card.kernels(SIZES, "f32").route(rowCount, {
    logits: card.put(logits),
    live: card.put(Int32Array.of(live)),
    places: card.put(places),
    chosen,
    routing: { scales, order, jobs, jobCount, jobCountMax: jobsMax, expertCount },
    expertCount,
    stride,
    column,
    ...(isShared && { shared: { matrix: 99, fold } }),
  });
  const best = Array.from({ length: live }, (_, row) => {
    const own = [...logits.subarray(row * expertCount, (row + 1) * expertCount)];
    const value = Math.max(...own);
    return { expert: own.indexOf(value), scale: 1 / (1 + Math.exp(-value)) };
  });
  const routed = [...places.keys()]
    .filter((expert) => (places[expert] as number) >= 0)
    .flatMap((expert) => best.flatMap((each, row) => (each.expert === expert ? [`${places[expert]}:${row}`] : [])));
  const expected = [...best.flatMap((_, row) => (isShared ? [`99:${fold + row}`] : [])), ...routed];
  const [sorted, list] = [card.ints(order, 2 * rowCount), card.ints(jobs, 4 * jobsMax)];
  const found = Array.from({ length: card.ints(jobCount, 1)[0] as number }, (_, job) => {
    const [place, first, count] = list.subarray(4 * job, 4 * job + 3) as unknown as [number, number, number];
    return count > 8 ? ["too many"] : [...sorted.subarray(first, first + count)].map((row) => `${place}:${row}`);
  }).flat();
  const ids = card.ints(chosen, rowCount * stride);
  const isRight =
    found.join() === expected.join() && best.every(({ expert }, row) => ids[row * stride + column] === expert);
  if (!isRight) return Number.POSITIVE_INFINITY;
  const mine = card.floats(scales, rowCount);
  return Math.max(...best.map(({ scale }, row) => Math.abs(scale - (mine[row] as number))));
}

/** Rows to experts. */
export const routeChecks: readonly KernelCheck[] = [
  { name: "route", errorMax: 1e-6, run: (card, random) => routeError(card, random, false) },
  {
    name: "route, and all rows to the shared expert",
    errorMax: 1e-6,
    run: (card, random) => routeError(card, random, true),
  },
];

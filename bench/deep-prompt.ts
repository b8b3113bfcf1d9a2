import { parseArgs } from "node:util";
import { type Candidate, planStep, StepCost } from "@drover/batching";
import { at } from "@drover/core";

/**
 * What a long prompt and eight streams do to each other at several depths of the prompt, in simulated time: the real planner, and steps that take what a
 * machine of these coefficients would. A request of 40 tokens comes twice a second. Prints, for each depth, the streams' gaps, the newcomers' first
 * token, and the prompt's rate beside them and alone.
 */
const { values } = parseArgs({
  options: {
    at: { type: "string", default: "0,8192,16384,32768,65536,98304,131072" },
    streams: { type: "string", default: "8" },
    seconds: { type: "string", default: "60" },
    "step-ms": { type: "string", default: "18" },
    chunk: { type: "string", default: "256" },
    /** Milliseconds of a step, a row, a global pair, a global read, a local pair, a prompt and a decoding sequence. The default is nano on one core, f32. */
    cost: { type: "string", default: "1.5,0.15,3e-5,1.15e-4,1e-5,0.3,0.75" },
  },
});
const NEWCOMER_MS = 500;
const NEWCOMER_TOKENS = 40;
const STREAM_TOKENS = 300;
const LONG = 0;
const FIRST_NEWCOMER = 1000;

const milliseconds = values.cost.split(",").map(Number);
const cost = new StepCost(Number(values.chunk), {
  step: at(milliseconds, 0),
  row: at(milliseconds, 1),
  globalPair: at(milliseconds, 2),
  globalRead: at(milliseconds, 3),
  localPair: at(milliseconds, 4),
  prompt: at(milliseconds, 5),
  decode: at(milliseconds, 6),
});
const tried = [{ position: 0, rowCount: 4096 }];
cost.observe(tried, cost.stepMs(tried));

type Window = { gapsMs: number[]; firstMs: number[]; rowsPerSecond: number };

/** Plays so many seconds beside a prompt that is `depth` deep; undefined: beside none. */
function play(depth: number | undefined, streamCount: number, newcomers: boolean): Window {
  const window: Window = { gapsMs: [], firstMs: [], rowsPerSecond: 0 };
  const one = (id: number, position: number, pendingTokenCount: number, step: number): Candidate => ({
    id,
    requestOrder: id,
    computedCount: position,
    pendingTokenCount,
    isDecoding: pendingTokenCount === 1,
    lastStep: step,
    requestLastStep: step,
  });
  let now: Candidate[] = Array.from({ length: streamCount }, (_, i) => one(1 + i, STREAM_TOKENS, 1, 0));
  if (depth !== undefined) now.push(one(LONG, depth, 10_000_000, 0));
  const arrivedMs = new Map<number, number>();
  let ms = 0;
  let rows = 0;
  for (let step = 1; ms < Number(values.seconds) * 1000; step++) {
    if (newcomers && ms >= arrivedMs.size * NEWCOMER_MS) {
      const id = FIRST_NEWCOMER + arrivedMs.size;
      arrivedMs.set(id, ms);
      now.push(one(id, 0, NEWCOMER_TOKENS, step));
    }
    const budget = { step, stepMs: Number(values["step-ms"]), prefillRowsMax: 512, decodeRowsMax: 256 };
    const plan = planStep(now, cost, budget);
    const predictedMs = cost.stepMs(plan);
    // A step in which nothing goes would never end.
    ms += plan.length === 0 ? 1 : predictedMs;
    if (streamCount > 0) window.gapsMs.push(predictedMs);
    const planned = new Map(plan.map(({ of, rowCount }) => [of, rowCount]));
    now = now.flatMap((candidate) => {
      const count = planned.get(candidate) ?? 0;
      if (candidate.id === LONG) rows += count;
      if (count === 0) return [candidate];
      if (candidate.id >= FIRST_NEWCOMER && count === candidate.pendingTokenCount) {
        window.firstMs.push(ms - (arrivedMs.get(candidate.id) ?? 0));
        return [];
      }
      // The window is of one depth: only what is pending of a newcomer moves.
      if (candidate.id < FIRST_NEWCOMER) return [{ ...candidate, lastStep: step, requestLastStep: step }];
      return [one(candidate.id, candidate.computedCount + count, candidate.pendingTokenCount - count, step)];
    });
  }
  window.rowsPerSecond = (rows * 1000) / ms;
  return window;
}

function quantile(list: readonly number[], q: number): string {
  const sorted = [...list].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN).toFixed(1);
}

console.log("| depth | gap p50 ms | p99 | most | mean | first token p50 ms | p99 | rows/s beside | alone | slowdown |");
console.log("|---|---|---|---|---|---|---|---|---|---|");
for (const depth of [undefined, ...values.at.split(",").map(Number)]) {
  const { gapsMs, firstMs, rowsPerSecond } = play(depth, Number(values.streams), true);
  const mean = gapsMs.reduce((a, b) => a + b, 0) / gapsMs.length;
  const alone = depth === undefined ? 0 : play(depth, 0, false).rowsPerSecond;
  const rates = [rowsPerSecond.toFixed(0), alone.toFixed(0), `${(alone / rowsPerSecond).toFixed(1)}x`];
  const cells = [
    ...[0.5, 0.99, 1].map((q) => quantile(gapsMs, q)),
    mean.toFixed(1),
    ...[0.5, 0.99].map((q) => quantile(firstMs, q)),
    ...(depth === undefined ? ["", "", ""] : rates),
  ];
  console.log(`| ${[depth?.toLocaleString("en") ?? "none", ...cells].join(" | ")} |`);
}

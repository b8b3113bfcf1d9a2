import { expect, test } from "vitest";
import type { Candidate } from "./candidate.ts";
import { STEP_MS_ALONE, TURN_SHARE } from "./limits.ts";
import { StepCost } from "./step-cost.ts";
import { planStep } from "./step-plan.ts";

const budget = { stepMs: 20, prefillRowsMax: 512, decodeRowsMax: 256 };

/** A machine that is `scale` times as slow as one of these coefficients. */
function costOf(scale: number): StepCost {
  const cost = new StepCost(256, {
    step: 2 * scale,
    row: 0.2 * scale,
    globalPair: 2e-4 * scale,
    globalRead: 1e-4 * scale,
    localPair: 1e-5 * scale,
    prompt: 0.3 * scale,
    decode: 0.3 * scale,
  });
  const whole = [{ position: 0, rowCount: 512 }];
  cost.observe(whole, cost.stepMs(whole));
  return cost;
}

const quick = costOf(1);

function prompt(id: number, pendingTokenCount: number, isUrgent = false, arrivedAt = 0): Candidate {
  const rows = { computedCount: 0, pendingTokenCount, isDecoding: false };
  return { id, requestOrder: id, ...rows, lastStep: arrivedAt, requestLastStep: arrivedAt, isUrgent };
}

type Scene = Readonly<{
  cost?: StepCost;
  start?: readonly Candidate[];
  /** Who comes before a step, beside those that are there. */
  arrive?: (step: number, there: readonly Candidate[]) => readonly Candidate[];
  /** Sequences that decode in each step. */
  decodingCount?: number;
  /** Steps that are played; unless all of `until` are computed before. */
  steps: number;
  until?: readonly number[];
}>;

/** Steps in which everything that is planned is computed: the step in which each prompt was. */
function play({
  cost = quick,
  start = [],
  arrive,
  decodingCount = 0,
  steps,
  until,
}: Scene): ReadonlyMap<number, number> {
  let now = [...start];
  const ended = new Map<number, number>();
  for (let step = 1; step <= steps; step++) {
    now.push(...(arrive?.(step, now) ?? []));
    const decoding = Array.from({ length: decodingCount }, (_, i) => ({
      ...prompt(-1 - i, 1, false, step - 1),
      ...{ computedCount: 500, isDecoding: true },
    }));
    const plan = planStep([...decoding, ...now], cost, { ...budget, step });
    const rows = new Map(plan.map(({ of, rowCount }) => [of, rowCount]));
    now = now.flatMap((one) => {
      const count = rows.get(one) ?? 0;
      if (count === one.pendingTokenCount) ended.set(one.id, step);
      if (count === one.pendingTokenCount) return [];
      const served = count > 0 ? { lastStep: step, requestLastStep: step } : {};
      const [computedCount, pendingTokenCount] = [one.computedCount + count, one.pendingTokenCount - count];
      return [{ ...one, ...served, computedCount, pendingTokenCount }];
    });
    if (until?.every((id) => ended.has(id))) break;
  }
  return ended;
}

/** When a prompt was computed; infinite where it was not. */
const endOf = (ended: ReadonlyMap<number, number>, id: number) => ended.get(id) ?? Number.POSITIVE_INFINITY;

const LONG = 0;
const isShort = (id: number) => id >= 1000 && id % 2 === 0;

/** One prompt of 3,000 rows, and behind it always one of 1,000 that may be urgent, and always so many new ones of 150. */
function pressed(scale: number, decodingCount: number, shortCount: number, isUrgent: boolean, steps: number) {
  let count = 0;
  const next = (kind: 0 | 1) => 1000 + 2 * count++ + kind;
  const arrive = (step: number, there: readonly Candidate[]) => {
    const later = there.filter((one) => one.id >= 1000);
    const missing = shortCount - later.filter((one) => isShort(one.id)).length;
    const shorts = Array.from({ length: missing }, () => prompt(next(0), 150, false, step - 1));
    return later.some((one) => !isShort(one.id)) ? shorts : [prompt(next(1), 1000, isUrgent, step - 1), ...shorts];
  };
  return play({ cost: costOf(scale), start: [prompt(LONG, 3000)], arrive, decodingCount, steps, until: [LONG] });
}

test("an urgent prompt is computed before new ones, however short they are and long they have waited, but for their part", () => {
  const waiting = Array.from({ length: 30 }, (_, i) => prompt(i, 400 + i));
  const alone = endOf(play({ start: [prompt(99, 900, true)], steps: 100 }), 99);
  const arrive = (step: number) => (step === 20 ? [prompt(99, 900, true, 20)] : []);
  const beside = endOf(play({ start: waiting, steps: 100, arrive }), 99);
  expect(beside - 19).toBeLessThanOrEqual(Math.ceil(alone / (1 - TURN_SHARE)) + 1);
});

test("of urgent prompts the shortest is first, as of others", () => {
  const ended = play({ start: [prompt(1, 2000, true), prompt(2, 300, true), prompt(3, 100)], steps: 100 });
  expect(endOf(ended, 2)).toBeLessThan(endOf(ended, 1));
});

test("what urgent prompts leave of a step goes to new ones", () => {
  const plan = planStep([prompt(1, 60), prompt(2, 10, true)], quick, { ...budget, step: 1 });
  expect(plan.map(({ of, rowCount }) => [of.id, rowCount]).toSorted()).toEqual([
    [1, 60],
    [2, 10],
  ]);
});

test.each([1, 10, 30])(
  "a long new prompt gets on beside urgent ones without end hardly slower than beside as many that are not, at %d times what a step takes",
  (scale) => {
    for (const decodingCount of [0, 4])
      for (const shortCount of [0, 2]) {
        const alike = endOf(pressed(scale, decodingCount, shortCount, false, 10_000), LONG);
        const steps = Math.ceil(1.35 * alike);
        const ended = pressed(scale, decodingCount, shortCount, true, steps);
        expect(endOf(ended, LONG), `${decodingCount} decode, ${shortCount} short ones`).toBeLessThanOrEqual(steps);
      }
  },
);

test.each([1, 10, 30])(
  "short new prompts get on beside urgent ones without end, at %d times what a step takes",
  (scale) => {
    for (const decodingCount of [0, 4]) {
      const shortsIn = (isUrgent: boolean) =>
        [...pressed(scale, decodingCount, 2, isUrgent, 200).keys()].filter(isShort).length;
      expect(shortsIn(true), `${decodingCount} decode`).toBeGreaterThanOrEqual(Math.floor(0.4 * shortsIn(false)));
    }
  },
);

test("beside streams an urgent prompt is computed in few steps, and no step takes these longer than one in which nobody decodes", () => {
  const steps = (isUrgent: boolean) =>
    endOf(play({ start: [prompt(1, 900, isUrgent)], decodingCount: 4, steps: 1000, until: [1] }), 1);
  expect(steps(true)).toBeLessThan(steps(false) / 3);
  const decoding = [-1, -2].map((id) => ({ ...prompt(id, 1), computedCount: 500, isDecoding: true }));
  const plan = planStep([...decoding, prompt(1, 900, true), prompt(2, 900)], quick, { ...budget, step: 1 });
  expect(plan.filter(({ of }) => of.isDecoding)).toHaveLength(2);
  expect(quick.stepMs(plan)).toBeLessThanOrEqual(STEP_MS_ALONE);
});

test("no more rows and time go to urgent prompts and others together than to others alone", () => {
  for (let step = 1; step < 9; step++) {
    const stepMs = (isUrgent: boolean) => {
      const prompts = [prompt(1, 5000), prompt(2, 5000, isUrgent), prompt(3, 1)];
      return quick.stepMs(planStep(prompts, quick, { ...budget, step }));
    };
    expect(stepMs(true)).toBeLessThanOrEqual(Math.max(budget.stepMs, stepMs(false)) + 0.001);
  }
});

import { expect, test } from "vitest";
import type { Candidate } from "./candidate.ts";
import { NEW_PROMPTS_TURN } from "./limits.ts";
import { StepCost } from "./step-cost.ts";
import { planStep } from "./step-plan.ts";

const budget = { stepMs: 20, prefillRowsMax: 512, decodeRowsMax: 256 };

const cost = new StepCost(256, {
  ...{ step: 2, row: 0.2, globalPair: 2e-4, globalRead: 1e-4, localPair: 1e-5, prompt: 0.3, decode: 0.3 },
});
cost.observe([{ position: 0, rowCount: 512 }], cost.stepMs([{ position: 0, rowCount: 512 }]));

const prompt = (id: number, pendingTokenCount: number, isResumed = false, arrivedAt = 0): Candidate => ({
  ...{ id, requestOrder: id, computedCount: 0, pendingTokenCount, isDecoding: pendingTokenCount === 1 },
  ...{ lastStep: arrivedAt, requestLastStep: arrivedAt, isResumed },
});

/** Steps in which everything that is planned is computed, until all prompts are: the step in which each was, and how many rows each had by each step. */
function play(start: readonly Candidate[], steps: number, arrive: (step: number) => readonly Candidate[] = () => []) {
  let now = [...start];
  const ended = new Map<number, number>();
  for (let step = 1; step <= steps; step++) {
    now.push(...arrive(step));
    const rows = new Map(planStep(now, cost, { ...budget, step }).map(({ of, rowCount }) => [of, rowCount]));
    now = now.flatMap((one) => {
      const count = rows.get(one) ?? 0;
      if (count === one.pendingTokenCount) ended.set(one.id, step);
      if (count === one.pendingTokenCount) return [];
      const served = count > 0 ? { lastStep: step, requestLastStep: step } : {};
      const [computedCount, pendingTokenCount] = [one.computedCount + count, one.pendingTokenCount - count];
      return [{ ...one, ...served, computedCount, pendingTokenCount }];
    });
  }
  return ended;
}

test("a prompt whose client has tokens already is computed before new ones, however short they are and long they have waited", () => {
  const waiting = Array.from({ length: 30 }, (_, i) => prompt(i, 400 + i));
  const alone = play([prompt(99, 900, true)], 100).get(99) ?? Number.POSITIVE_INFINITY;
  const beside = play(waiting, 100, (step) => (step === 20 ? [prompt(99, 900, true, 20)] : [])).get(99);
  expect(beside).toBeDefined();
  // A quarter of the steps is for new ones.
  expect((beside ?? Number.POSITIVE_INFINITY) - 19).toBeLessThanOrEqual(
    Math.ceil((alone * NEW_PROMPTS_TURN) / (NEW_PROMPTS_TURN - 1)) + 1,
  );
});

test("what resumed prompts leave of a step goes to new ones", () => {
  const plan = planStep([prompt(1, 60), prompt(2, 10, true)], cost, { ...budget, step: 1 });
  expect(plan.map(({ of, rowCount }) => [of.id, rowCount])).toEqual([
    [2, 10],
    [1, 60],
  ]);
});

test("new prompts get on, the longest of them too, beside more resumed ones than there is time for", () => {
  // Of each 500 rows, more than a step has.
  const always = (step: number) => [prompt(1000 + step, 500, true, step), prompt(5000 + step, 20, false, step)];
  const ended = play([prompt(0, 3000)], 200, always);
  expect(ended.has(0)).toBe(true);
  expect([...ended.keys()].filter((id) => id > 5000).length).toBeGreaterThan(100);
});

test("no more rows and time go to both together than to one of them", () => {
  for (let step = 1; step < 9; step++) {
    const both = [prompt(1, 5000), prompt(2, 5000, true), prompt(3, 1)];
    const plan = planStep(both, cost, { ...budget, step });
    const alike = planStep(
      both.map((one) => ({ ...one, isResumed: false })),
      cost,
      { ...budget, step },
    );
    expect(cost.stepMs(plan)).toBeLessThanOrEqual(Math.max(budget.stepMs, cost.stepMs(alike)) + 0.001);
  }
});

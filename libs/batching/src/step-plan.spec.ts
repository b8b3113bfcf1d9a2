import { at } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Candidate } from "./candidate.ts";
import {
  BURST_STRETCH,
  DECODE_STRETCH,
  STEP_MS_ALONE,
  STEP_MS_EFFICIENT,
  STEP_MS_MAX,
  WAITING_STRETCH,
} from "./limits.ts";
import { StepCost } from "./step-cost.ts";
import { aloneMs, planStep } from "./step-plan.ts";

const CHUNK = 256;
const budget = { step: 100, stepMs: 20, prefillRowsMax: 512, decodeRowsMax: 256 };

const COEFFICIENTS = {
  step: 2,
  row: 0.2,
  globalPair: 2e-4,
  globalRead: 1e-4,
  localPair: 1e-5,
  prompt: 0.3,
  decode: 0.3,
};

/** 2 ms a step, 0.2 a row, and as much again for each 1,000 tokens of context. */
function costOf(): StepCost {
  const cost = new StepCost(CHUNK, COEFFICIENTS);
  cost.observe([{ position: 0, rowCount: 512 }], cost.stepMs([{ position: 0, rowCount: 512 }]));
  return cost;
}
const cost = costOf();

const candidates = fc
  .array(
    fc.record({
      requestOrder: fc.nat(11),
      computedCount: fc.oneof(fc.nat(300), fc.nat(2_000_000)),
      pendingTokenCount: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 100_000 })),
      lastStep: fc.integer({ min: 80, max: 99 }),
    }),
    { maxLength: 60 },
  )
  .map((list) =>
    list.map((one, id): Candidate => {
      return { ...one, id, isDecoding: one.pendingTokenCount === 1, requestLastStep: one.lastStep };
    }),
  );

test("no step is predicted to take longer than the bound, unless it is one row of one decoding or one prompt's sequence", () => {
  fc.assert(
    fc.property(candidates, (list) => {
      const plan = planStep(list, cost, budget);
      expect(plan.length > 0).toBe(list.length > 0);
      const prompts = plan.filter(({ of }) => !of.isDecoding);
      const decoding = plan.filter(({ of }) => of.isDecoding);
      if (decoding.length > 1) expect(cost.stepMs(decoding)).toBeLessThanOrEqual(STEP_MS_MAX);
      const promptMs = prompts.reduce((sum, rows) => sum + cost.entryMs(rows), 0);
      const forced = prompts.some(({ rowCount }) => rowCount === 1);
      if (!forced) expect(promptMs).toBeLessThanOrEqual(STEP_MS_MAX);
    }),
  );
});

test("a plan names each sequence once, with no more rows than it has pending, and no more prompt rows than its cap", () => {
  fc.assert(
    fc.property(candidates, fc.integer({ min: 1, max: 200 }), (list, prefillRowsMax) => {
      const plan = planStep(list, cost, { ...budget, prefillRowsMax });
      expect(new Set(plan.map(({ of }) => of)).size).toBe(plan.length);
      for (const { of, position, rowCount } of plan) {
        expect(position).toBe(of.computedCount);
        expect(rowCount).toBeGreaterThan(0);
        expect(rowCount).toBeLessThanOrEqual(of.pendingTokenCount);
      }
      const prompts = plan.filter(({ of }) => !of.isDecoding);
      expect(prompts.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBeLessThanOrEqual(prefillRowsMax);
    }),
  );
});

/** Plays steps in which everything that is planned is computed, and arrivals come as they are told. Steps until each id has no prompt left. */
function play(
  start: readonly Candidate[],
  steps: number,
  arrive: (step: number) => readonly Candidate[] = () => [],
): Map<number, number> {
  let now = [...start];
  const done = new Map<number, number>();
  for (let step = 1; step <= steps; step++) {
    now.push(...arrive(step));
    const plan = planStep(now, cost, { ...budget, step });
    const rows = new Map(plan.map(({ of, rowCount }) => [of, rowCount]));
    const served = new Set(plan.filter(({ of }) => !of.isDecoding).map(({ of }) => of.requestOrder));
    now = now.map((candidate) => {
      const requestLastStep = served.has(candidate.requestOrder) ? step : candidate.requestLastStep;
      const count = rows.get(candidate);
      if (count === undefined) return { ...candidate, requestLastStep };
      const pendingTokenCount = Math.max(1, candidate.pendingTokenCount - count);
      if (count === candidate.pendingTokenCount && !done.has(candidate.id)) done.set(candidate.id, step);
      const computedCount = candidate.computedCount + count;
      const isDecoding = pendingTokenCount === 1;
      return { ...candidate, requestLastStep, lastStep: step, computedCount, pendingTokenCount, isDecoding };
    });
  }
  return done;
}

const prompt = (id: number, pendingTokenCount: number, computedCount = 0, requestOrder = id): Candidate => ({
  id,
  requestOrder,
  computedCount,
  pendingTokenCount,
  isDecoding: pendingTokenCount === 1,
  lastStep: 0,
  requestLastStep: 0,
});

test("short prompts that never end do not keep a long one from its part", () => {
  // One short prompt a step is as much as a step can take.
  const ended = play([prompt(0, 2000)], 400, (step) => [
    { ...prompt(step, 60), lastStep: step, requestLastStep: step },
  ]);
  expect(ended.has(0)).toBe(true);
});

test("a prompt whose one row takes longer than the budget gets on beside short ones, and they beside it", () => {
  const deep = prompt(0, 5, 200_000);
  expect(cost.entryMs({ position: deep.computedCount, rowCount: 1 })).toBeGreaterThan(budget.stepMs);
  const ended = play([deep], 60, (step) => [{ ...prompt(step, 30), lastStep: step, requestLastStep: step }]);
  expect(ended.get(0)).toBeLessThan(60);
  for (let id = 1; id < 50; id++) expect((ended.get(id) ?? 99) - id).toBeLessThan(12);
});

test("beside decoding a deep prompt takes no more than its budget on average, half again of a step at once, and more rows than one a step", () => {
  const nano = new StepCost(CHUNK, {
    step: 1.5,
    row: 0.15,
    globalPair: 3e-5,
    globalRead: 1.15e-4,
    localPair: 1e-5,
    prompt: 0.3,
    decode: 0.75,
  });
  nano.observe([{ position: 0, rowCount: 512 }], nano.stepMs([{ position: 0, rowCount: 512 }]));
  const decoding = Array.from({ length: 8 }, (_, i) => prompt(100 + i, 1, 300));
  const decodeMs = nano.stepMs(decoding.map(({ computedCount }) => ({ position: computedCount, rowCount: 1 })));
  for (const position of [50_000, 65_536, 80_000, 95_000]) {
    let deep = prompt(0, 100_000, position);
    let [ms, rows] = [0, 0];
    const steps = 200;
    for (let step = 1; step <= steps; step++) {
      const plan = planStep([deep, ...decoding], nano, { ...budget, step });
      const predictedMs = nano.stepMs(plan);
      expect(predictedMs).toBeLessThanOrEqual(BURST_STRETCH * budget.stepMs);
      expect(plan.length).toBeGreaterThanOrEqual(decoding.length);
      const count = plan.find(({ of }) => of.id === 0)?.rowCount ?? 0;
      if (count > 0) deep = { ...deep, lastStep: step, requestLastStep: step };
      ms += predictedMs;
      rows += count;
    }
    expect(ms / steps).toBeLessThanOrEqual(1.01 * budget.stepMs);
    const oneRowMs = decodeMs + nano.entryMs({ position, rowCount: 1 });
    expect(rows / ms).toBeGreaterThan(1.5 / oneRowMs);
  }
});

test("a short prompt is computed within two steps of its arrival beside a long one and decoding sequences", () => {
  const decoding = Array.from({ length: 8 }, (_, i) => prompt(100 + i, 1, 300));
  const arrival = { ...prompt(1, 30), lastStep: 20, requestLastStep: 20 };
  const ended = play([prompt(0, 100_000, 20_000), ...decoding], 30, (step) => (step === 20 ? [arrival] : []));
  expect(ended.get(1)).toBeLessThanOrEqual(21);
});

/** Prompts that come at once, and sequences that decode before: when each prompt is computed, and the most that were begun and not ended. */
function together(lengths: readonly number[], runningCount: number) {
  let now = lengths.map((length, id) => prompt(id, length));
  now.push(...Array.from({ length: runningCount }, (_, i) => prompt(100 + i, 1, 300)));
  let [ms, begunMax] = [0, 0];
  const firstMs: number[] = [];
  const stepsMs: number[] = [];
  for (let step = 1; firstMs.length < lengths.length; step++) {
    const plan = planStep(now, cost, { ...budget, step });
    ms += cost.stepMs(plan);
    stepsMs.push(cost.stepMs(plan));
    const rows = new Map(plan.map(({ of, rowCount }) => [of, rowCount]));
    now = now.map((one) => {
      const count = rows.get(one);
      if (count === undefined) return one;
      if (!one.isDecoding && count === one.pendingTokenCount) firstMs.push(ms);
      const pendingTokenCount = Math.max(1, one.pendingTokenCount - count);
      const isDecoding = count === one.pendingTokenCount;
      const served = one.isDecoding ? {} : { requestLastStep: step };
      return {
        ...one,
        ...served,
        lastStep: step,
        computedCount: one.computedCount + count,
        pendingTokenCount,
        isDecoding,
      };
    });
    begunMax = Math.max(begunMax, now.filter((one) => !one.isDecoding && one.computedCount > 0).length);
  }
  return { firstMs, begunMax, stepsMs };
}

test("prompts of any lengths that come together end one after the other: three are begun at once at most, and the middle one has its token in six tenths of the time of all", () => {
  const lengths = fc.array(fc.integer({ min: 40, max: 160 }), { minLength: 6, maxLength: 40 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 0, max: 8 }), (list, runningCount) => {
      const { firstMs, begunMax } = together(list, runningCount);
      expect(begunMax).toBeLessThanOrEqual(3);
      expect(firstMs[Math.floor(list.length / 2)]).toBeLessThanOrEqual(0.6 * Math.max(...firstMs) + STEP_MS_ALONE);
    }),
    { numRuns: 40 },
  );
});

test("beside many prompts a step is as long as once they decode, from the first on, and no longer than three budgets or than their decoding asks for", () => {
  const count = 32;
  const { stepsMs } = together(
    Array.from({ length: count }, () => 100),
    2,
  );
  const decodingMs = cost.stepMs(Array.from({ length: count + 2 }, () => ({ position: 200, rowCount: 1 })));
  expect(DECODE_STRETCH * decodingMs).toBeGreaterThan(1.5 * budget.stepMs);
  expect(at(stepsMs, 0)).toBeGreaterThan(1.4 * budget.stepMs);
  const mostMs = Math.max(WAITING_STRETCH * budget.stepMs, DECODE_STRETCH * decodingMs);
  for (const ms of stepsMs) expect(ms).toBeLessThanOrEqual(mostMs);
  const [few] = together([1000], 2).stepsMs;
  expect(few).toBeLessThanOrEqual(budget.stepMs);
});

test("a request of many choices is one long prompt, not many short ones", () => {
  const many = Array.from({ length: 16 }, (_, i) => prompt(i, 100, 0, 0));
  const ended = play([...many, prompt(50, 400)], 20);
  expect(ended.get(50)).toBe(1);
  expect([...ended.values()].filter((step) => step === 1).length).toBeLessThan(4);
});

test("where not all can decode, each request's first choice goes before another's second, and everyone gets a turn", () => {
  const choices = [...Array.from({ length: 6 }, (_, i) => prompt(i, 1, 0, 0)), prompt(6, 1), prompt(7, 1)];
  let now = choices;
  const served = new Map<number, number>();
  for (let step = 1; step <= 30; step++) {
    const plan = planStep(now, cost, { ...budget, step, decodeRowsMax: 4 });
    const ids = new Set(plan.map(({ of }) => of.id));
    expect(ids.has(6) && ids.has(7)).toBe(true);
    for (const id of ids) served.set(id, (served.get(id) ?? 0) + 1);
    now = now.map((choice) => (ids.has(choice.id) ? { ...choice, lastStep: step } : choice));
  }
  for (let id = 0; id < 6; id++) expect(served.get(id)).toBe(10);
});

test("an untried cost allows few rows, and twice as many as it has seen", () => {
  const fresh = new StepCost(CHUNK);
  const rowCounts = () => planStep([prompt(0, 1000)], fresh, budget).map(({ rowCount }) => rowCount);
  expect(rowCounts()).toEqual([16]);
  fresh.observe([{ position: 0, rowCount: 16 }], 1);
  expect(rowCounts()).toEqual([32]);
});

test("a decoding sequence of which several rows are pending gets them all or none, before any prompt", () => {
  const drafting = { ...prompt(0, 3, 200), isDecoding: true };
  const counts = (decodeRowsMax: number) =>
    planStep([drafting, prompt(1, 1, 50), prompt(2, 400)], cost, { ...budget, decodeRowsMax }).map(
      ({ of, rowCount }) => [of.id, rowCount],
    );
  expect(counts(256).slice(0, 2)).toEqual([
    [0, 3],
    [1, 1],
  ]);
  expect(counts(3)[0]).toEqual([0, 3]);
  expect(counts(3).some(([id]) => id === 1)).toBe(false);
});

test("prompts alone get a longer step where its first rows are dearer than further ones, within the bound", () => {
  expect(aloneMs(new StepCost(CHUNK, COEFFICIENTS, 16), budget.stepMs)).toBe(STEP_MS_EFFICIENT);
  expect(aloneMs(new StepCost(CHUNK, COEFFICIENTS), budget.stepMs)).toBe(STEP_MS_ALONE);
  for (const expertCount of [0, 16])
    expect(aloneMs(new StepCost(CHUNK, COEFFICIENTS, expertCount), 1e6)).toBe(STEP_MS_MAX);
});

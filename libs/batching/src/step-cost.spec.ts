import fc from "fast-check";
import { expect, test } from "vitest";
import { type EntryShape, entryTerms, stepTerms } from "./cost-terms.ts";
import { fitCost } from "./fit-cost.ts";
import { DEFAULT_COST, StepCost } from "./step-cost.ts";

const CHUNK = 256;
/** A machine that is nothing like the default: 3 ms a step, dear rows, cheap context. */
const TRUTH = {
  step: 3,
  row: 1.5,
  globalPair: 4e-6,
  globalRead: 5e-5,
  localPair: 9e-6,
  prompt: 0.1,
  decode: 0.8,
};
const truthMs = (entries: readonly EntryShape[]) => new StepCost(CHUNK, TRUTH).stepMs(entries);

const entry = fc.record({ position: fc.nat(20_000), rowCount: fc.integer({ min: 1, max: 700 }) });
/** Steps as they occur: some sequences that decode, some prompts. */
const step = fc.array(
  fc.oneof(
    fc.record({ position: fc.nat(20_000), rowCount: fc.constant(1) }),
    fc.record({ position: fc.nat(20_000), rowCount: fc.integer({ min: 2, max: 512 }) }),
  ),
  { minLength: 1, maxLength: 20 },
);

/** Steps of a seed. */
function stepsOf(seed: number, count: number): EntryShape[][] {
  return fc.sample(step, { seed, numRuns: count });
}

const errorOf = (cost: StepCost, entries: readonly EntryShape[]) =>
  Math.abs(cost.stepMs(entries) / truthMs(entries) - 1);

test("an entry's pairs are what its rows see, one by one", () => {
  fc.assert(
    fc.property(entry, ({ position, rowCount }) => {
      let globalPairs = 0;
      let localPairs = 0;
      for (let row = position; row < position + rowCount; row++) {
        globalPairs += row + 1;
        localPairs += (row % CHUNK) + 1;
      }
      const terms = entryTerms({ position, rowCount }, CHUNK);
      expect(terms).toMatchObject({ row: rowCount, globalPair: globalPairs, globalRead: position + rowCount });
      expect(terms.localPair).toBe(localPairs);
    }),
  );
});

test("a prediction never falls when rows or context are added", () => {
  const cost = new StepCost(CHUNK, TRUTH);
  fc.assert(
    fc.property(fc.nat(100_000), fc.integer({ min: 2, max: 500 }), (position, rowCount) => {
      const here = cost.entryMs({ position: position - (position % CHUNK), rowCount });
      expect(cost.entryMs({ position: position - (position % CHUNK), rowCount: rowCount + 1 })).toBeGreaterThan(here);
      expect(cost.entryMs({ position: position - (position % CHUNK) + CHUNK, rowCount })).toBeGreaterThan(here);
    }),
  );
});

test("as many rows are within a time as take no longer, and one more would", () => {
  const cost = new StepCost(CHUNK, TRUTH);
  fc.assert(
    fc.property(fc.nat(50_000), fc.double({ min: 0, max: 400, noNaN: true }), (position, ms) => {
      const rowCount = cost.rowsWithin(position, ms, 300);
      if (rowCount > 0) expect(cost.entryMs({ position, rowCount })).toBeLessThanOrEqual(ms);
      // A single row is an entry of another kind.
      if (rowCount > 1 && rowCount < 300)
        expect(cost.entryMs({ position, rowCount: rowCount + 1 })).toBeGreaterThan(ms);
    }),
  );
});

test("a fit to a handful of steps predicts others, though every fifth was held up", () => {
  const samples = stepsOf(7, 25).map((entries, i) => ({
    terms: stepTerms(entries, CHUNK),
    ms: truthMs(entries) * (i % 5 === 0 ? 4 : 1),
  }));
  const cost = new StepCost(CHUNK, fitCost(samples, DEFAULT_COST));
  for (const entries of stepsOf(8, 200)) expect(errorOf(cost, entries)).toBeLessThan(0.2);
});

test("no coefficient is ever negative, whatever is measured", () => {
  const sample = fc.record({ entries: step, ms: fc.double({ min: 0.01, max: 1e4, noNaN: true }) });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 30 }), (list) => {
      const cost = new StepCost(CHUNK);
      cost.fit(list.map(({ entries, ms }) => ({ terms: stepTerms(entries, CHUNK), ms })));
      for (const { entries, ms } of list) cost.observe(entries, ms);
      for (const value of Object.values(cost.coefficients)) expect(value).toBeGreaterThan(0);
    }),
  );
});

test("what nothing was fitted to is learned from the steps as they come", () => {
  const cost = new StepCost(CHUNK);
  for (const entries of stepsOf(1, 600)) cost.observe(entries, truthMs(entries));
  const errors = stepsOf(2, 200)
    .map((entries) => errorOf(cost, entries))
    .sort((a, b) => a - b);
  expect(errors[100]).toBeLessThan(0.1);
  expect(errors[190]).toBeLessThan(0.35);
});

test("one step that was held up a thousandfold changes no prediction by more than a twentieth", () => {
  const cost = new StepCost(CHUNK);
  for (const entries of stepsOf(1, 600)) cost.observe(entries, truthMs(entries));
  const steps = stepsOf(3, 50);
  const before = steps.map((entries) => cost.stepMs(entries));
  const [first = []] = steps;
  cost.observe(first, 1000 * truthMs(first));
  for (const [i, entries] of steps.entries()) expect(cost.stepMs(entries) / (before[i] ?? 0)).toBeLessThan(1.055);
});

test("decoding alone teaches nothing about the context of prompts", () => {
  const cost = new StepCost(CHUNK);
  cost.fit(stepsOf(4, 100).map((entries) => ({ terms: stepTerms(entries, CHUNK), ms: truthMs(entries) })));
  const globalPairMs = cost.coefficients.globalPair;
  const decoding = Array.from({ length: 8 }, (_, i) => ({ position: 300 + i, rowCount: 1 }));
  for (let i = 0; i < 5000; i++) cost.observe(decoding, 2 * truthMs(decoding));
  expect(Math.abs(cost.stepMs(decoding) / (2 * truthMs(decoding)) - 1)).toBeLessThan(0.02);
  expect(cost.coefficients.globalPair / globalPairMs).toBeLessThan(1.05);
});

test("computing a prompt in steps takes what its steps take together, but for what each of them reads", () => {
  const cost = new StepCost(CHUNK, TRUTH);
  let sum = 0;
  for (let position = 0; position < 4096; position += 64) sum += cost.entryMs({ position, rowCount: 64 });
  expect(Math.abs(cost.prefillMs(0, 4096, 64) / sum - 1)).toBeLessThan(0.01);
});

/** A card: 16 experts a layer, whose weights are what a few rows wait for. */
const CARD = {
  step: 3,
  row: 0.13,
  globalPair: 2e-6,
  globalRead: 1e-5,
  localPair: 2e-6,
  prompt: 0.2,
  decode: 0.1,
  expert: 1.2,
};

test("on a device that waits for weights a step takes what its entries add to it one after the other, in any order", () => {
  const cost = new StepCost(CHUNK, CARD, 16);
  fc.assert(
    fc.property(step, (entries) => {
      let [ms, rowCount] = [cost.emptyMs, 0];
      for (const each of entries.toReversed()) {
        ms += cost.entryMs(each, rowCount);
        rowCount += each.rowCount;
      }
      expect(Math.abs(ms / cost.stepMs(entries) - 1)).toBeLessThan(1e-9);
    }),
  );
});

test("rows that join many cost less than the same rows alone, and as many are within a time as take no longer", () => {
  const cost = new StepCost(CHUNK, CARD, 16);
  fc.assert(
    fc.property(fc.nat(20_000), fc.integer({ min: 1, max: 700 }), fc.nat(500), (position, rowCount, rowsBefore) => {
      const joined = cost.entryMs({ position, rowCount }, rowsBefore);
      expect(joined).toBeLessThanOrEqual(cost.entryMs({ position, rowCount }));
      const within = cost.rowsWithin(position, joined, 1000, rowsBefore);
      if (rowCount > 1) expect(within).toBe(rowCount);
    }),
  );
});

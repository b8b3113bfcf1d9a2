import fc from "fast-check";
import { expect, test } from "vitest";
import { planStep } from "./step-plan.ts";

const limits = { prefillRowsMax: 64, decodeRowsMax: 256 };

test("every decoding sequence gets its row beside a long prompt", () => {
  const decoding = Array.from({ length: 8 }, (_, id) => ({ id, pendingTokenCount: 1, lastStep: 5 }));
  const plan = planStep([{ id: 99, pendingTokenCount: 100_000, lastStep: 0 }, ...decoding], limits);
  expect(plan.filter((p) => p.rowCount === 1).map((p) => p.id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(plan.find((p) => p.id === 99)?.rowCount).toBe(64);
});

test("a short prompt is served in the same step as a long one", () => {
  const plan = planStep(
    [
      { id: 1, pendingTokenCount: 100_000, lastStep: 0 },
      { id: 2, pendingTokenCount: 20, lastStep: 1 },
    ],
    limits,
  );
  expect(plan).toEqual([
    { id: 1, rowCount: 32 },
    { id: 2, rowCount: 20 },
  ]);
});

test("no step has more prompt rows than its budget, and no sequence more than it has pending", () => {
  const candidates = fc.array(fc.record({ pendingTokenCount: fc.integer({ min: 1, max: 300 }), lastStep: fc.nat(9) }), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(candidates, fc.integer({ min: 1, max: 200 }), (list, prefillRowsMax) => {
      const all = list.map((c, id) => ({ ...c, id }));
      const plan = planStep(all, { prefillRowsMax, decodeRowsMax: 16 });
      const prompt = plan.filter((p) => (all[p.id]?.pendingTokenCount ?? 0) > 1);
      expect(prompt.reduce((sum, p) => sum + p.rowCount, 0)).toBeLessThanOrEqual(prefillRowsMax);
      for (const p of plan) expect(p.rowCount).toBeLessThanOrEqual(all[p.id]?.pendingTokenCount ?? 0);
      if (all.length > 0) expect(plan.length).toBeGreaterThan(0);
    }),
  );
});

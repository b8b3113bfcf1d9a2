import { expect, test } from "vitest";
import type { Candidate } from "./candidate.ts";
import { StepCost } from "./step-cost.ts";
import { tenantShares } from "./tenant-shares.ts";

const cost = new StepCost(256, {
  step: 2,
  row: 0.2,
  globalPair: 0,
  globalRead: 0,
  localPair: 0,
  prompt: 0.3,
  decode: 0.3,
});
cost.observe([{ position: 0, rowCount: 512 }], cost.stepMs([{ position: 0, rowCount: 512 }]));
const budget = { ms: 40, burstMs: 40, rowsMax: 512, required: true };

const prompt = (id: number, name: string | undefined, pendingTokenCount: number, weight = 1): Candidate => ({
  id,
  requestOrder: id,
  computedCount: 0,
  pendingTokenCount,
  isDecoding: false,
  lastStep: 99,
  requestLastStep: 99,
  ...(name !== undefined && { tenant: { name, weight } }),
});

const rowsByTenant = (prompts: readonly Candidate[]) => {
  const rows = new Map<string, number>();
  for (const { of, rowCount } of tenantShares(prompts, cost, budget, 100))
    rows.set(of.tenant?.name ?? "", (rows.get(of.tenant?.name ?? "") ?? 0) + rowCount);
  return rows;
};

test("a tenant with one prompt gets its part of a step beside one with many shorter prompts", () => {
  const flood = Array.from({ length: 40 }, (_, id) => prompt(id, "flood", 50));
  const alone = rowsByTenant(flood);
  const rows = rowsByTenant([...flood, prompt(99, "light", 400)]);
  expect(alone.get("flood")).toBeGreaterThan(100);
  expect(rows.get("light")).toBeGreaterThan(0.3 * (alone.get("flood") ?? 0));
  expect(rows.get("flood")).toBeGreaterThan(0);
});

test("who needs less than its part leaves the rest to the others", () => {
  const rows = rowsByTenant([prompt(0, "small", 10), prompt(1, "large", 5000)]);
  const alone = rowsByTenant([prompt(1, "large", 5000)]);
  expect(rows.get("small")).toBe(10);
  expect(rows.get("large")).toBeGreaterThan((alone.get("large") ?? 0) - 20);
});

test("parts are as the weights are", () => {
  const rows = rowsByTenant([prompt(0, "one", 5000, 1), prompt(1, "three", 5000, 3)]);
  const ratio = (rows.get("three") ?? 0) / (rows.get("one") ?? 1);
  expect(ratio).toBeGreaterThan(2);
  expect(ratio).toBeLessThan(4);
});

test("where nobody is told apart, the plan is that of the prompts alone", () => {
  const prompts = Array.from({ length: 6 }, (_, id) => prompt(id, undefined, 40 + id));
  const named = prompts.map((one) => ({ ...one, tenant: { name: "all", weight: 7 } }));
  const plan = (list: readonly Candidate[]) =>
    tenantShares(list, cost, budget, 100).map(({ of, rowCount }) => [of.id, rowCount]);
  expect(plan(named)).toEqual(plan(prompts));
});

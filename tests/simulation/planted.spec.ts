import { expect, test } from "vitest";
import { type Plan, planOf } from "./plan.ts";
import { PLANTED, TWO_LEADERS } from "./planted.ts";
import type { Seams } from "./seams.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulate.ts";

/** A fault that so many histories do not show is not found. */
const SEEDS_MAX = 200;

/** The histories in which a fault shows sooner, by its name: those with most of what it is about. The others come in their order. */
const SOONER: Readonly<Record<string, (plan: Plan) => number>> = {
  "a fencing check that is skipped": (plan) => Number(isOfLeaders(plan)),
  "an epoch that is not compared": (plan) => Number(isOfLeaders(plan)),
  "a cancel that is lost": ({ clients }) => clients.filter(({ leavesMs }) => leavesMs !== undefined).length,
  "a map change that drops an expert in use": ({ faults }) => faults.filter(({ kind }) => kind === "drain").length,
};

/** The first history that shows the fault. */
async function firstFailure(name: string, seams: Seams): Promise<Plan | undefined> {
  const plans = Array.from({ length: SEEDS_MAX }, (_, i) => planOf(i + 1));
  const weight = SOONER[name];
  if (weight !== undefined) plans.sort((a, b) => weight(b) - weight(a));
  for (const plan of plans) {
    const { violations } = await simulate(plan, { linesKept: 0, seams });
    if (violations.length > 0) return plan;
  }
  return undefined;
}

test.for(Object.entries(PLANTED))("%s is found", async ([name, seams]) => {
  expect(await firstFailure(name, seams)).toBeDefined();
});

test("a failing history is shrunk to one that needs all that it has, and fails the same way each time", async () => {
  const seams = PLANTED["a token index that is off by one"] ?? {};
  const { plan, history } = await shrink(planOf(3), { linesKept: 0, seams });
  expect(plan.faults).toEqual([]);
  expect(plan.clients).toHaveLength(1);
  const again = await simulate(plan, { linesKept: 0, seams });
  expect(again).toEqual(history);
  expect(again.violations).not.toEqual([]);
});

test("two schedulers that both believe they lead change nothing that the newer one ordered", async () => {
  const plans = Array.from({ length: 120 }, (_, i) => planOf(i + 1))
    .filter(isOfLeaders)
    .slice(0, 12);
  expect(plans).toHaveLength(12);
  for (const plan of plans) {
    const { violations } = await simulate(plan, { linesKept: 0, seams: TWO_LEADERS });
    // Who is with the deposed one alone may wait for as long as that believes it leads.
    expect([plan.seed, violations.filter((one) => !one.endsWith("waits for ever"))]).toEqual([plan.seed, []]);
  }
});

/** One in which a leader is cut off from Redis. */
function isOfLeaders({ faults }: Plan): boolean {
  return faults.some((fault) => fault.kind === "slow" && fault.to === "redis" && fault.times >= 50);
}

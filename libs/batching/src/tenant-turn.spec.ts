import fc from "fast-check";
import { expect, test } from "vitest";
import type { Candidate } from "./candidate.ts";
import { PASSED_STEPS_MAX, TENANT_CREDIT_MS } from "./limits.ts";
import { StepCost } from "./step-cost.ts";
import { planStep } from "./step-plan.ts";
import { TenantService } from "./tenant-service.ts";

const OUTPUT = 16;
const STEP_MS = 18;

function costOf(step: number, row: number, decode: number): StepCost {
  const cost = new StepCost(256, { step, row, globalPair: 0, globalRead: 0, localPair: 0, prompt: 0.3, decode });
  cost.observe([{ position: 0, rowCount: 512 }], cost.stepMs([{ position: 0, rowCount: 512 }]));
  return cost;
}

/** A small model on a CPU, and one on a card, where a step costs much and a row little. */
const COSTS = { cpu: costOf(5, 0.4, 1.5), card: costOf(15, 0.03, 0.05) };

type Asker = { tenant: Candidate["tenant"]; request: Sequence | undefined; waitMs: number };
type Sequence = { -readonly [Key in keyof Candidate]: Candidate[Key] } & { askedMs: number; left: number };
type Outcome = Readonly<{ firstMs: number[]; tokens: number; silentSteps: number }>;

/** Plays tenants that ask again as soon as they are answered, or after `pauseMs`; what came of each one's requests. */
function play(
  cost: StepCost,
  tenants: readonly Readonly<{ name: string; streams: number; prompt: number; pauseMs: number; weight?: number }>[],
  untilMs: number,
): Map<string, Outcome> {
  const service = new TenantService();
  const outcomes = new Map(tenants.map(({ name }) => [name, { firstMs: [] as number[], tokens: 0, silentSteps: 0 }]));
  const askers = tenants.flatMap(({ name, streams, weight = 1, ...rest }, t) =>
    Array.from({ length: streams }, (_, i): Asker & typeof rest => {
      return { ...rest, tenant: { name, weight }, request: undefined, waitMs: t * 3 + i * 7 };
    }),
  );
  let [nowMs, id] = [0, 0];
  for (let step = 1; nowMs < untilMs; step++) {
    for (const asker of askers) {
      if (asker.request !== undefined || asker.waitMs > nowMs) continue;
      const [askedMs, order] = [Math.max(asker.waitMs, 0), id++];
      const counts = { computedCount: 0, pendingTokenCount: asker.prompt, isDecoding: false, left: OUTPUT };
      const ids = { id: order, requestOrder: order, tenant: asker.tenant, lastStep: step, requestLastStep: step };
      asker.request = { ...ids, ...counts, askedMs };
    }
    const list = askers.flatMap(({ request }) => request ?? []);
    const budget = { step, stepMs: STEP_MS, prefillRowsMax: 512, decodeRowsMax: 256, service };
    const rows = planStep<Sequence>(list, cost, budget);
    const ms = rows.length === 0 ? 1 : cost.stepMs(rows);
    nowMs += ms;
    if (rows.length > 0) service.observe(rows, cost, ms);
    for (const { of, rowCount } of rows) {
      const outcome = outcomes.get(of.tenant?.name ?? "");
      if (of.isDecoding && outcome) outcome.silentSteps = Math.max(outcome.silentSteps, step - of.lastStep);
      of.lastStep = step;
      if (!of.isDecoding) of.requestLastStep = step;
      of.computedCount += rowCount;
      of.pendingTokenCount -= rowCount;
      if (of.pendingTokenCount > 0 || outcome === undefined) continue;
      if (!of.isDecoding) outcome.firstMs.push(nowMs - of.askedMs);
      outcome.tokens += 1;
      of.left -= 1;
      [of.isDecoding, of.pendingTokenCount] = [true, 1];
    }
    for (const asker of askers) {
      if (asker.request?.left !== 0) continue;
      asker.request = undefined;
      asker.waitMs = nowMs + asker.pauseMs;
    }
  }
  return outcomes;
}

const outcomeOf = (outcomes: Map<string, Outcome>, name: string): Outcome => {
  const found = outcomes.get(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};
const last = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(0.99 * list.length)] ?? 0;

test.each(Object.entries(COSTS))(
  "a flood of ten times as many leaves the 99th percentile of another tenant's first tokens within 1.5 times of alone, or a step more (%s)",
  (_, cost) => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 300 }), fc.integer({ min: 0, max: 400 }), (prompt, pauseMs) => {
        const light = { name: "light", streams: 1, prompt, pauseMs };
        const alone = last(outcomeOf(play(cost, [light], 12_000), "light").firstMs);
        const flood = { name: "flood", streams: 10, prompt, pauseMs: 0 };
        // Its first ones find a worker that knew one tenant alone, and nobody who had more than it.
        const beside = outcomeOf(play(cost, [light, flood], 12_000), "light").firstMs.slice(3);
        expect(beside.length).toBeGreaterThan(8);
        expect(last(beside)).toBeLessThan(Math.max(1.5 * alone, alone + 1.25 * STEP_MS));
      }),
      { numRuns: 15 },
    );
  },
);

test("however many tenants have turns, a sequence that decodes is passed over by so many steps at most", () => {
  const light = Array.from({ length: 8 }, (_, i) => ({ name: `light ${i}`, streams: 1, prompt: 150, pauseMs: 90 }));
  const outcomes = play(COSTS.cpu, [...light, { name: "flood", streams: 4, prompt: 40, pauseMs: 0 }], 20_000);
  expect(outcomeOf(outcomes, "flood").silentSteps).toBeGreaterThan(1);
  expect(outcomeOf(outcomes, "flood").silentSteps).toBeLessThanOrEqual(PASSED_STEPS_MAX + 1);
});

test("a flood loses no more of its tokens than what the other takes, and a tenth for shorter steps", () => {
  for (const cost of Object.values(COSTS)) {
    const flood = { name: "flood", streams: 10, prompt: 150, pauseMs: 0 };
    const light = { name: "light", streams: 1, prompt: 150, pauseMs: 300 };
    const alone = outcomeOf(play(cost, [flood], 20_000), "flood").tokens;
    const beside = play(cost, [light, flood], 20_000);
    expect(outcomeOf(beside, "flood").tokens + outcomeOf(beside, "light").tokens).toBeGreaterThan(0.9 * alone);
  }
});

test("a prompt that takes longer than its tenant is behind has no turn: streams beside it go on", () => {
  const service = new TenantService();
  const tenant = (name: string) => ({ name, weight: 1 });
  const one = (id: number, name: string, pendingTokenCount: number): Candidate => {
    const isDecoding = pendingTokenCount === 1;
    const counts = { computedCount: isDecoding ? 100 : 0, pendingTokenCount, isDecoding };
    return { id, requestOrder: id, tenant: tenant(name), ...counts, lastStep: 9, requestLastStep: 9 };
  };
  const flood = Array.from({ length: 10 }, (_, id) => one(id, "flood", 1));
  const rows = flood.map((of) => ({ of, position: 100, rowCount: 1 }));
  for (let i = 0; i < 50; i++) service.observe(rows, COSTS.cpu, 20);
  service.observe([{ of: one(99, "light", 1), position: 0, rowCount: 1 }], COSTS.cpu, 1);
  const budget = { step: 10, stepMs: STEP_MS, prefillRowsMax: 512, decodeRowsMax: 256, service };
  const decoding = (prompt: number) =>
    planStep([...flood, one(100, "light", prompt)], COSTS.cpu, budget).filter(({ of }) => of.isDecoding).length;
  expect(decoding(100)).toBe(0);
  expect(decoding(Math.ceil(TENANT_CREDIT_MS / 0.4))).toBe(flood.length);
});

test("a tenant of twice the weight has twice as long a turn before another", () => {
  const service = new TenantService();
  const rows = (name: string, weight: number) => {
    const of = { id: 0, requestOrder: 0, computedCount: 0, pendingTokenCount: 50, isDecoding: false };
    return [{ of: { ...of, tenant: { name, weight }, lastStep: 0, requestLastStep: 0 }, position: 0, rowCount: 50 }];
  };
  service.observe(rows("one", 1), COSTS.cpu, 600);
  service.observe(rows("two", 2), COSTS.cpu, 200);
  expect(service.behindMs({ name: "one", weight: 1 })).toBe(0);
  expect(service.behindMs({ name: "two", weight: 2 })).toBeCloseTo(TENANT_CREDIT_MS - 200 / 2);
  service.observe(rows("two", 2), COSTS.cpu, 1e6);
  expect(service.behindMs({ name: "one", weight: 1 })).toBe(TENANT_CREDIT_MS);
});

test("who comes after a silence with one request goes first, and with a flood shares with whom it finds", () => {
  const cost = COSTS.cpu;
  const service = new TenantService();
  const [light, flood] = ["light", "flood"].map((name) => ({ name, weight: 1 }));
  const asked = (tenant: Candidate["tenant"], id: number): Candidate => ({
    ...{ id, requestOrder: id, tenant, lastStep: 1, requestLastStep: 1 },
    ...{ computedCount: 0, pendingTokenCount: 100, isDecoding: false },
  });
  const row = (tenant: Candidate["tenant"]) => ({ of: asked(tenant, 0), position: 0, rowCount: 1 });
  service.observe([row(flood)], cost, 10);
  service.observe([row(light)], cost, 10 * TENANT_CREDIT_MS);
  const namesOf = (floodCount: number) => {
    const flooding = Array.from({ length: floodCount }, (_, i) => asked(flood, i + 1));
    const budget = { step: 2, stepMs: STEP_MS, prefillRowsMax: 512, decodeRowsMax: 256, service };
    const rows = planStep([...flooding, asked(light, 0)], cost, budget);
    return new Set(rows.map(({ of }) => of.tenant?.name));
  };
  expect(namesOf(1)).toEqual(new Set(["flood"]));
  expect(namesOf(10)).toEqual(new Set(["light", "flood"]));
});

test.each(Object.entries(COSTS))(
  "a tenant that nobody has seen has its first token in the next step, beside a flood that had all steps before (%s)",
  (_, cost) => {
    const service = new TenantService();
    const [flood, light] = ["flood", "light"].map((name) => ({ name, weight: 1 }));
    const of = (id: number, tenant: Candidate["tenant"], computedCount: number, pendingTokenCount: number) => {
      const ids = { id, requestOrder: id, tenant, lastStep: 1, requestLastStep: 1 };
      return { ...ids, computedCount, pendingTokenCount, isDecoding: pendingTokenCount === 1 };
    };
    const running = Array.from({ length: 10 }, (__, i) => of(i, flood, 100, i < 5 ? 1 : 100));
    const newcomer = of(10, light, 0, 100);
    const budget = { stepMs: STEP_MS, prefillRowsMax: 512, decodeRowsMax: 256, service };
    for (let step = 1; step < 20; step++) {
      const rows = planStep(running, cost, { ...budget, step });
      service.observe(rows, cost, cost.stepMs(rows));
    }
    const rows = planStep([...running, newcomer], cost, { ...budget, step: 20 });
    expect(rows.find(({ of: one }) => one === newcomer)?.rowCount).toBe(100);
  },
);

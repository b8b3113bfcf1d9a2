import fc from "fast-check";
import { expect, test } from "vitest";
import type { Candidate, PlannedRows } from "./candidate.ts";
import { PASSED_STEPS_MAX, STEP_MS_SHARED, TENANT_CREDIT_MS, TENANT_LEAD_MS } from "./limits.ts";
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
type Sequence = { -readonly [Key in keyof Candidate]: Candidate[Key] } & {
  askedMs: number;
  left: number;
  othersRows: number;
};
/** `othersRows`: of each request, the rows of other tenants that were computed between its arrival and its first token. `ms`: of steps, as they are charged. */
type Outcome = {
  firstMs: number[];
  othersRows: number[];
  readonly askedMs: number[];
  tokens: number;
  silentSteps: number;
  ms: number;
};
/** `beginMs`: when its streams ask first, `apartMs` one after the other. */
type Playing = Readonly<{
  name: string;
  streams: number;
  prompt: number;
  pauseMs: number;
  weight?: number;
  beginMs?: number;
  apartMs?: number;
  output?: number;
}>;

/** Plays tenants that ask again as soon as they are answered, or after `pauseMs`; what came of each one's requests. */
function play(cost: StepCost, tenants: readonly Playing[], untilMs: number): Map<string, Outcome> {
  const service = new TenantService();
  const outcomes = new Map(
    tenants.map(({ name }): [string, Outcome] => [
      name,
      { firstMs: [], othersRows: [], askedMs: [], tokens: 0, silentSteps: 0, ms: 0 },
    ]),
  );
  const askers = tenants.flatMap(
    ({ name, streams, weight = 1, output = OUTPUT, beginMs = 0, apartMs = 7, ...rest }, t) =>
      Array.from({ length: streams }, (_, i): Asker & typeof rest & { output: number } => {
        const waitMs = beginMs + t * 3 + i * apartMs;
        return { ...rest, output, tenant: { name, weight }, request: undefined, waitMs };
      }),
  );
  let [nowMs, id] = [0, 0];
  let before: Readonly<{ beganMs: number; rows: readonly PlannedRows<Sequence>[] }> = { beganMs: 0, rows: [] };
  for (let step = 1; nowMs < untilMs; step++) {
    for (const asker of askers) {
      if (asker.request !== undefined || asker.waitMs > nowMs) continue;
      const [askedMs, order] = [Math.max(asker.waitMs, 0), id++];
      const counts = {
        computedCount: 0,
        pendingTokenCount: asker.prompt,
        isDecoding: false,
        left: asker.output,
        othersRows: 0,
      };
      const ids = { id: order, requestOrder: order, tenant: asker.tenant, lastStep: step, requestLastStep: step };
      asker.request = { ...ids, ...counts, askedMs };
      // It came while that step was computed.
      if (askedMs > before.beganMs) asker.request.othersRows = rowsBeside(before.rows, asker.request);
    }
    const list = askers.flatMap(({ request }) => request ?? []);
    const budget = { step, stepMs: STEP_MS, prefillRowsMax: 512, decodeRowsMax: 256, service };
    const rows = planStep<Sequence>(list, cost, budget);
    const ms = rows.length === 0 ? 1 : cost.stepMs(rows);
    nowMs += ms;
    for (const one of list) if (!one.isDecoding) one.othersRows += rowsBeside(rows, one);
    before = { beganMs: nowMs - ms, rows };
    if (rows.length > 0) service.observe(rows, cost, ms);
    const entriesMs = rows.reduce((sum, one) => sum + cost.entryMs(one), 0);
    for (const { of, rowCount } of rows) {
      const outcome = outcomes.get(of.tenant?.name ?? "");
      if (outcome) outcome.ms += (ms * cost.entryMs({ position: of.computedCount, rowCount })) / entriesMs;
      if (of.isDecoding && outcome) outcome.silentSteps = Math.max(outcome.silentSteps, step - of.lastStep);
      of.lastStep = step;
      if (!of.isDecoding) of.requestLastStep = step;
      of.computedCount += rowCount;
      of.pendingTokenCount -= rowCount;
      if (of.pendingTokenCount > 0 || outcome === undefined) continue;
      if (!of.isDecoding) {
        outcome.firstMs.push(nowMs - of.askedMs);
        outcome.othersRows.push(of.othersRows);
        outcome.askedMs.push(of.askedMs);
      }
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

const rowsBeside = (rows: readonly PlannedRows<Sequence>[], { tenant }: Sequence): number =>
  rows.reduce((sum, { of, rowCount }) => sum + (of.tenant?.name === tenant?.name ? 0 : rowCount), 0);

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

test("a flood loses no more of its tokens than what the other takes, and a fifth for shorter steps", () => {
  for (const cost of Object.values(COSTS)) {
    const flood = { name: "flood", streams: 10, prompt: 150, pauseMs: 0 };
    const light = { name: "light", streams: 1, prompt: 150, pauseMs: 300 };
    const alone = outcomeOf(play(cost, [flood], 20_000), "flood").tokens;
    const beside = play(cost, [light, flood], 20_000);
    expect(outcomeOf(beside, "flood").tokens + outcomeOf(beside, "light").tokens).toBeGreaterThan(0.8 * alone);
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
  service.asks([...rows("one", 1), ...rows("two", 2)].map(({ of }) => of));
  service.observe(rows("one", 1), COSTS.cpu, 600);
  service.observe(rows("two", 2), COSTS.cpu, 200);
  expect(service.behindMs({ name: "one", weight: 1 })).toBe(0);
  expect(service.behindMs({ name: "two", weight: 2 })).toBeCloseTo(TENANT_CREDIT_MS - 200 / 2);
  service.observe(rows("two", 2), COSTS.cpu, 1e6);
  expect(service.behindMs({ name: "one", weight: 1 })).toBe(TENANT_CREDIT_MS);
});

test("what a tenant had while nobody else asked is not held against it: with a request of one that comes it shares, and a flood that comes waits for it", () => {
  const cost = COSTS.cpu;
  const service = new TenantService();
  const [light, flood] = ["light", "flood"].map((name) => ({ name, weight: 1 }));
  const asked = (tenant: Candidate["tenant"], id: number): Candidate => ({
    ...{ id, requestOrder: id, tenant, lastStep: 1, requestLastStep: 1 },
    ...{ computedCount: 0, pendingTokenCount: 100, isDecoding: false },
  });
  const budget = { step: 2, stepMs: STEP_MS, prefillRowsMax: 512, decodeRowsMax: 256, service };
  const rows = planStep([asked(light, 0)], cost, budget);
  service.observe(rows, cost, 10 * TENANT_CREDIT_MS);
  const namesOf = (floodCount: number) => {
    const flooding = Array.from({ length: floodCount }, (_, i) => asked(flood, i + 1));
    return new Set(planStep([...flooding, asked(light, 0)], cost, budget).map(({ of }) => of.tenant?.name));
  };
  expect(namesOf(1)).toEqual(new Set(["light", "flood"]));
  expect(namesOf(10)).toEqual(new Set(["light"]));
});

test.each(Object.entries(COSTS))(
  "a flood that begins beside a tenant that had the worker for itself has it wait for the rows of a step and a half at most, from the first request on (%s)",
  (_, cost) => {
    const stepMs = Math.max(STEP_MS_SHARED, 4 * cost.emptyMs);
    const stepRows = cost.rowsWithin(0, stepMs - cost.emptyMs, 512);
    fc.assert(
      fc.property(
        fc.integer({ min: 60, max: 300 }),
        fc.integer({ min: 900, max: 1100 }),
        fc.integer({ min: 0, max: 3 }),
        (prompt, beginMs, apartMs) => {
          const light = { name: "light", streams: 1, prompt, pauseMs: 0 };
          const flood = { name: "flood", streams: 10, prompt, pauseMs: 0, beginMs, apartMs };
          const { askedMs, othersRows } = outcomeOf(play(cost, [light, flood], 4000), "light");
          const beside = othersRows.filter((__, i) => (askedMs[i] ?? 0) >= beginMs);
          expect(beside.length).toBeGreaterThan(3);
          expect(Math.max(...beside)).toBeLessThanOrEqual(1.5 * stepRows);
        },
      ),
      { numRuns: 25 },
    );
  },
);

test("who always asks for little gets no more than its part of the steps while others ask, but for its lead", () => {
  const untilMs = 20_000;
  for (const cost of Object.values(COSTS)) {
    const light = { name: "light", streams: 1, prompt: 400, pauseMs: 0, output: 1 };
    const outcomes = play(cost, [light, { name: "flood", streams: 10, prompt: 150, pauseMs: 0 }], untilMs);
    expect(outcomeOf(outcomes, "light").ms).toBeLessThan(untilMs / 2 + TENANT_LEAD_MS);
  }
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

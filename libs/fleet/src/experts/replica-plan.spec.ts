import { workerId } from "@drover/core";
import { expect, it } from "vitest";
import { HEAT_ROWS_PER_EXPERT, REPLICA_BYTES_PER_PLAN, REPLICA_PLAN_MS, WEIGHT_BYTES } from "../limits.ts";
import { ExpertHeat } from "./expert-heat.ts";
import { ReplicaPlan } from "./replica-plan.ts";

const EXPERTS = 8;
const LAYER = 1;
const owners = new Map([[LAYER, Array.from({ length: EXPERTS }, (_, expert) => workerId(`w${expert % 4}`))]]);

/** So many parameters that one plan may order `count` copies. */
const sizeFor = (count: number) => Math.floor(REPLICA_BYTES_PER_PLAN / WEIGHT_BYTES / count);

function scene(spareCount: number, holdersMin = 1) {
  const plan = new ReplicaPlan({ holdersMin, spareCount });
  const heat = new ExpertHeat(EXPERTS);
  const copies = () => Array.from({ length: EXPERTS }, (_, expert) => plan.wanted(LAYER, expert) - holdersMin);
  const rows = (...counts: number[]) => new Map([[LAYER, counts]]);
  return { plan, heat, copies, rows };
}

it("the experts that are asked for most get the copies, on top of what every expert has", () => {
  const { plan, heat, copies, rows } = scene(3, 2);
  heat.add(rows(10, 10, 900, 10, 10, 10, 10, 40), 0);
  plan.plan(owners, heat, 1, 0);
  expect(copies().reduce((sum, count) => sum + count, 0)).toBe(3);
  expect(copies()[2]).toBeGreaterThanOrEqual(2);
});

it("nothing is copied before the rows say anything, and it is looked at again as they come", () => {
  const { plan, heat, copies, rows } = scene(3);
  heat.add(rows(HEAT_ROWS_PER_EXPERT * EXPERTS - 1), 0);
  plan.plan(owners, heat, 1, 0);
  expect(copies()).toEqual(new Array(EXPERTS).fill(0));
  heat.add(rows(1), 0);
  plan.plan(owners, heat, 1, 1);
  expect(copies()[0]).toBe(3);
});

it("no more is copied in one plan than its bytes allow, and the rest in those that follow", () => {
  const { plan, heat, copies, rows } = scene(5);
  heat.add(rows(100, 90, 80, 70, 60, 50, 40, 30), 0);
  const total = () => copies().reduce((sum, count) => sum + count, 0);
  for (const [now, expected] of [
    [0, 2],
    [REPLICA_PLAN_MS - 1, 2],
    [REPLICA_PLAN_MS, 4],
    [2 * REPLICA_PLAN_MS, 5],
  ] as const) {
    plan.plan(owners, heat, sizeFor(2), now);
    expect(total()).toBe(expected);
  }
});

it("a copy goes to another expert only when that one is clearly hotter", () => {
  const { plan, heat, copies, rows } = scene(1);
  heat.add(rows(100, 0, 0, 0, 0, 0, 0, 0), 0);
  plan.plan(owners, heat, 1, 0);
  heat.add(rows(0, 110, 0, 0, 0, 0, 0, 0), 1);
  plan.plan(owners, heat, 1, REPLICA_PLAN_MS);
  // Each holder of the first has half of its rows, and the other one's only holder all of them.
  expect(copies().slice(0, 2)).toEqual([0, 1]);
  heat.add(rows(20, 0, 0, 0, 0, 0, 0, 0), 2);
  plan.plan(owners, heat, 1, 2 * REPLICA_PLAN_MS);
  heat.add(rows(1, 0, 0, 0, 0, 0, 0, 0), 3);
  plan.plan(owners, heat, 1, 3 * REPLICA_PLAN_MS);
  expect(copies().reduce((sum, count) => sum + count, 0)).toBe(1);
});

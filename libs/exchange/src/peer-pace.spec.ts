import { expect, test } from "vitest";
import { HedgeBudget } from "./hedge-budget.ts";
import {
  HEDGE_MS_MIN,
  HEDGE_ROWS_MAX,
  HEDGE_SHARE,
  SILENT_FACTOR,
  SILENT_MS_MIN,
  SLOW_HALF_LIFE_MS,
} from "./limits.ts";
import { PeerPaces } from "./peer-pace.ts";

function paces(...ms: readonly (readonly [string, number])[]): PeerPaces {
  const known = new PeerPaces();
  for (let i = 0; i < 100; i++) for (const [id, each] of ms) known.note(id, 8, each, i);
  return known;
}

test("a call is late by what its peer usually takes, or the others, and by how many rows it has", () => {
  const known = paces(["a", 10], ["b", 12], ["c", 400]);
  expect(known.lateMs("a", 8)).toBeCloseTo(20);
  expect(known.lateMs("a", 24)).toBeCloseTo(40);
  expect(known.lateMs("c", 8)).toBeCloseTo(24);
  expect(paces(["quick", 0.1]).lateMs("quick", 8)).toBe(HEDGE_MS_MIN);
  expect(known.lateMs("new", 8)).toBeUndefined();
});

test("a call is not waited for any more after many times what its own peer takes, however quick the others are", () => {
  const known = paces(["a", 1], ["b", 12], ["c", 400]);
  expect(known.silentMs("a", 8)).toBe(SILENT_MS_MIN);
  expect(known.silentMs("c", 8)).toBeCloseTo(SILENT_FACTOR * 400);
  expect(known.silentMs("new", 8)).toBeUndefined();
  for (let i = 0; i < 100; i++) known.noteUnanswered("a", 8, 5000, 100 + i);
  expect(known.silentMs("a", 8)).toBe(SILENT_MS_MIN);
  expect(known.slowness("a", 200)).toBeGreaterThan(1);
});

test("a peer is slow that takes several times as long as others do, until that is long ago", () => {
  const known = paces(["a", 10], ["b", 12], ["c", 80]);
  expect(known.slowness("a", 100)).toBe(1);
  expect(known.slowness("b", 100)).toBe(1);
  expect(known.slowness("c", 99)).toBeCloseTo(80 / 12);
  expect(known.slowness("c", 99 + 10 * SLOW_HALF_LIFE_MS)).toBe(1);
  known.keep(new Set(["a"]));
  expect(known.slowness("c", 99)).toBe(1);
});

test("where all become slower nobody is slow", () => {
  const known = paces(["a", 10], ["b", 12]);
  for (let i = 0; i < 100; i++) for (const id of ["a", "b"]) known.note(id, 8, 300, 100 + i);
  expect(known.slowness("a", 200)).toBe(1);
});

test("no more rows are asked for twice than their share of all", () => {
  const budget = new HedgeBudget();
  expect(budget.spend(HEDGE_ROWS_MAX + 1)).toBe(false);
  expect(budget.spend(HEDGE_ROWS_MAX)).toBe(true);
  expect(budget.spend(1)).toBe(false);
  budget.earn(100);
  expect(budget.spend(Math.round(100 * HEDGE_SHARE))).toBe(true);
  expect(budget.spend(1)).toBe(false);
});

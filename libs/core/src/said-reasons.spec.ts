import { expect, test } from "vitest";
import { SaidReasons } from "./said-reasons.ts";

test("each reason is said once in a spell, and again in the next", () => {
  const reasons = new SaidReasons();
  expect(["away", "away", "refused", "away", "refused"].map((reason) => reasons.isNew(reason))).toEqual([
    true,
    false,
    true,
    false,
    false,
  ]);
  reasons.clear();
  expect(reasons.isNew("away")).toBe(true);
});

test("endlessly different reasons take no endless memory", () => {
  const reasons = new SaidReasons();
  for (let i = 0; i < 1000; i++) expect(reasons.isNew(`reason ${i}`)).toBe(true);
  expect(reasons.isNew("reason 0")).toBe(true);
});

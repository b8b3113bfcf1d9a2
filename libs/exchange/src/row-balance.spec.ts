import { at } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type BalancedExpert, balanceRows } from "./row-balance.ts";

const HOLDERS = 6;
const experts = fc.array(
  fc.record({
    rowCount: fc.integer({ min: 1, max: 60 }),
    holders: fc.uniqueArray(fc.nat(HOLDERS - 1), { minLength: 1, maxLength: 4 }),
  }),
  { maxLength: 20 },
);
const ahead = fc.array(fc.nat(40), { minLength: HOLDERS, maxLength: HOLDERS });
const even = new Float64Array(HOLDERS).fill(1);

function loadsOf(list: readonly BalancedExpert[], before: readonly number[], rows: readonly Int32Array[]): number[] {
  const loads = [...before];
  for (const [i, { holders }] of list.entries())
    for (const [place, holder] of holders.entries()) loads[holder] = at(loads, holder) + at(at(rows, i), place);
  return loads;
}

test("every row of an expert goes to one of its holders", () => {
  fc.assert(
    fc.property(
      experts,
      ahead,
      fc.array(fc.double({ min: 0.05, max: 1, noNaN: true }), { minLength: HOLDERS, maxLength: HOLDERS }),
      (list, before, speeds) => {
        const rows = balanceRows(list, before, speeds);
        for (const [i, { rowCount }] of list.entries()) {
          expect(at(rows, i).reduce((sum, count) => sum + count, 0)).toBe(rowCount);
          expect(at(rows, i).every((count) => count >= 0)).toBe(true);
        }
      },
    ),
  );
});

test("no holder has more than a few rows more than another one that could take some of them", () => {
  fc.assert(
    fc.property(experts, ahead, (list, before) => {
      const rows = balanceRows(list, before, even);
      const loads = loadsOf(list, before, rows);
      for (const [i, { holders }] of list.entries()) {
        const lowest = Math.min(...holders.map((holder) => at(loads, holder)));
        for (const [place, holder] of holders.entries())
          if (at(at(rows, i), place) > 0) expect(at(loads, holder) - lowest).toBeLessThanOrEqual(4);
      }
    }),
  );
});

test("few rows stay together, with the preferred holder, and go to another one that has less to do", () => {
  const [alone] = balanceRows([{ rowCount: 2, holders: [1, 0] }], [0, 0], [1, 1]);
  expect([...(alone ?? [])]).toEqual([2, 0]);
  const [beside] = balanceRows([{ rowCount: 2, holders: [1, 0] }], [0, 9], [1, 1]);
  expect([...(beside ?? [])]).toEqual([0, 2]);
});

test("a holder at a tenth of the others' speed gets a tenth of the rows", () => {
  const [rows] = balanceRows([{ rowCount: 110, holders: [0, 1] }], [0, 0], [1, 0.1]);
  expect([...(rows ?? [])]).toEqual([100, 10]);
});

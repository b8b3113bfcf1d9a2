import { setImmediate } from "node:timers/promises";
import { neverAborted } from "@drover/core";
import { expect, it } from "vitest";
import { allOrNone } from "./all-or-none.ts";

it("works on so many at once, and has the results in order", async () => {
  let running = 0;
  let most = 0;
  const work = async (item: number) => {
    most = Math.max(most, ++running);
    for (let turn = item % 3; turn >= 0; turn--) await setImmediate();
    running--;
    return 10 * item;
  };
  const items = Array.from({ length: 16 }, (_, index) => index);
  expect(await allOrNone(items, neverAborted, work, 4)).toEqual(items.map((item) => 10 * item));
  expect(most).toBe(4);
  expect(await allOrNone(items, neverAborted, work)).toHaveLength(16);
  expect(most).toBe(16);
});

it("begins none of the rest once one has failed", async () => {
  const begun: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    await setImmediate();
    if (item === 1) throw new Error("no");
  };
  await expect(allOrNone([0, 1, 2, 3, 4, 5, 6, 7], neverAborted, work, 2)).rejects.toThrow("no");
  const { length } = begun;
  for (let turn = 0; turn < 5; turn++) await setImmediate();
  expect(begun).toHaveLength(length);
  expect(length).toBeLessThan(8);
});

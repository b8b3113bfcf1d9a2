import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { TransientMap } from "./transient-map.ts";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as (options: Readonly<{ type: "minor" }>) => void;

test("a value is found until it is taken out, and taken out once", () => {
  const map = new TransientMap<string, number>();
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  expect([map.size, map.get("a"), map.has("b"), map.has("c")]).toEqual([2, 3, true, false]);
  expect([map.take("a"), map.take("a"), map.get("a"), map.has("a"), map.size]).toEqual([
    3,
    undefined,
    undefined,
    false,
    1,
  ]);
});

test("all values are taken out in the order in which their keys came", () => {
  const map = new TransientMap<number, string>();
  for (const [key, value] of [
    [3, "first"],
    [1, "second"],
    [2, "third"],
  ] as const)
    map.set(key, value);
  map.set(3, "again");
  expect(map.takeAll()).toEqual(["again", "second", "third"]);
  expect([map.size, map.takeAll()]).toEqual([0, []]);
});

test("who goes through the values may take them out, and meets none that has left", () => {
  const map = new TransientMap<number, number>();
  for (let key = 0; key < 5; key++) map.set(key, key * 10);
  const met: number[] = [];
  for (const value of map.values()) {
    met.push(value);
    map.take(value / 10);
    map.take(4);
  }
  expect([met, map.size]).toEqual([[0, 10, 20, 30], 0]);
});

test("what has left is given back by the collections of young objects, though others came before it left", () => {
  const map = new TransientMap<number, number[]>();
  const [passing, inFlight, numbers] = [20_000, 16, 200];
  collectYoung();
  const before = getHeapStatistics().used_heap_size;
  for (let key = 0; key < passing; key++) {
    map.set(
      key,
      Array.from({ length: numbers }, (_, at) => at + 0.5),
    );
    if (key >= inFlight) map.take(key - inFlight);
    if (key % 200 === 0) collectYoung();
  }
  collectYoung();
  // All of them took 32 MB.
  expect(getHeapStatistics().used_heap_size - before).toBeLessThan(8_000_000);
});

/** Objects grow old by being there at two of them. */
function collectYoung(): void {
  gc({ type: "minor" });
}

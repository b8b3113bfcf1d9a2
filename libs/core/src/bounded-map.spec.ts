import fc from "fast-check";
import { expect, test } from "vitest";
import { BoundedMap } from "./bounded-map.ts";

type Step = Readonly<{ does: "set" | "use" | "get" | "delete"; key: number; byteCount: number }>;

const step = fc.record({
  does: fc.constantFrom("set", "set", "set", "use", "get", "delete"),
  key: fc.integer({ min: 0, max: 9 }),
  byteCount: fc.integer({ min: 0, max: 60 }),
}) as fc.Arbitrary<Step>;

/** The same by a list, oldest first, which is searched and counted anew each time. */
class ListModel {
  entries: { key: number; byteCount: number }[] = [];
  forgottenCount = 0;

  take({ does, key, byteCount }: Step, entriesMax: number, bytesMax: number): void {
    const found = this.entries.find((entry) => entry.key === key);
    if (does === "get") return;
    if (does === "use" && found === undefined) return;
    this.entries = this.entries.filter((entry) => entry.key !== key);
    if (does === "use" && found !== undefined) this.entries.push(found);
    if (does !== "set" || byteCount > bytesMax) return;
    this.entries.push({ key, byteCount });
    while (this.entries.length > entriesMax || this.byteCount > bytesMax) {
      this.entries.shift();
      this.forgottenCount += 1;
    }
  }

  get byteCount(): number {
    return this.entries.reduce((sum, entry) => sum + entry.byteCount, 0);
  }
}

test("what is kept is what was set or used last, within both bounds, and its bytes are counted exactly", () => {
  let forgottenCount = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 100 }),
      fc.array(step, { minLength: 10, maxLength: 60, size: "max" }),
      (entriesMax, bytesMax, steps) => {
        const map = new BoundedMap<number, Step>({ entriesMax, bytesMax }, ({ byteCount }) => byteCount);
        const model = new ListModel();
        for (const one of steps) {
          if (one.does === "set") expect(map.set(one.key, one)).toBe(one.byteCount <= bytesMax);
          else if (one.does === "delete") map.delete(one.key);
          else {
            const known = model.entries.find(({ key }) => key === one.key)?.byteCount;
            expect((one.does === "use" ? map.use(one.key) : map.get(one.key))?.byteCount).toBe(known);
            expect(map.has(one.key)).toBe(known !== undefined);
          }
          model.take(one, entriesMax, bytesMax);
          expect([...map].map(([key, { byteCount }]) => ({ key, byteCount }))).toEqual(model.entries);
          expect([map.size, map.byteCount]).toEqual([model.entries.length, model.byteCount]);
        }
        forgottenCount += model.forgottenCount;
      },
    ),
  );
  expect(forgottenCount).toBeGreaterThan(100);
});

test("without bounds nothing is forgotten", () => {
  const map = new BoundedMap<number, string>({});
  for (let i = 0; i < 10_000; i++) map.set(i, "");
  expect([map.size, map.has(0)]).toEqual([10_000, true]);
  map.clear();
  expect([map.size, map.byteCount, map.has(0)]).toEqual([0, 0, false]);
});

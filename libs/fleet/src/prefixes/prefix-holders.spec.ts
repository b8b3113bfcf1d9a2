import fc from "fast-check";
import { expect, test } from "vitest";
import { PrefixHolders } from "./prefix-holders.ts";

/** Operations in all; DROVER_KV_OPERATIONS asks for more, such as 1000000. */
const OPERATIONS = Number(process.env.DROVER_KV_OPERATIONS ?? 60_000);
const RUN_OPERATIONS = 2000;

/** Few different values, many of them of one slot, so that searches pass over each other. */
const operation = fc.record({
  kind: fc.constantFrom("add", "add", "add", "delete", "delete", "purge"),
  low: fc.nat(40).map((n) => (n % 7) * 1024 + n),
  high: fc.nat(30),
  worker: fc.constantFrom(0, 1, 2, 31, 32, 63, 64, 999),
});

test(`after ${OPERATIONS} random operations every block has the holders that it was given`, () => {
  const seed = Number(process.env.DROVER_KV_SEED ?? 20_250_405);
  process.stdout.write(`prefix holders: ${OPERATIONS} operations, seed ${seed}\n`);
  fc.assert(
    fc.property(fc.array(operation, { minLength: RUN_OPERATIONS, maxLength: RUN_OPERATIONS }), (operations) => {
      const table = new PrefixHolders();
      const model = new Map<string, Set<number>>();
      for (const [i, { kind, low, high, worker }] of operations.entries()) {
        const key = `${low},${high}`;
        const holders = model.get(key) ?? new Set<number>();
        if (kind === "add") {
          expect(table.add(low, high, worker)).toBe(!holders.has(worker));
          model.set(key, holders.add(worker));
        } else if (kind === "delete") {
          expect(table.delete(low, high, worker)).toBe(holders.delete(worker));
          if (holders.size === 0) model.delete(key);
        } else if (i % 50 === 0) {
          table.purge(new Set([worker]));
          for (const [each, set] of model) if (set.delete(worker) && set.size === 0) model.delete(each);
        }
        expect(table.holders(table.find(low, high))).toEqual([...(model.get(key) ?? [])].sort((a, b) => a - b));
      }
      expect(table.size).toBe(model.size);
      for (const [key, holders] of model) {
        const [low = 0, high = 0] = key.split(",").map(Number);
        for (const worker of holders) expect(table.holds(table.find(low, high), worker)).toBe(true);
      }
    }),
    { numRuns: OPERATIONS / RUN_OPERATIONS, seed },
  );
});

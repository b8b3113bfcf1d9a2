import { at } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { PrefixNode } from "../prefix-node.ts";
import { EvictionQueue } from "./eviction-queue.ts";
import type { EvictionPolicy } from "./policy.ts";
import { weightedAge } from "./weighted-age.ts";

const geometry = {
  isGlobalLayer: [false, false, false, true],
  chunkRows: 256,
  segmentRows: 1024,
  blockRows: 64,
  rowBytes: 2,
};

function leaf(serial: number, kind: "global" | "local", usedAt: number, reuseCount: number): PrefixNode {
  const extent = { id: 1, kind, capacity: 64, rowCount: 64, owned: false, nodes: [], referencedBytes: 0 };
  return {
    ...{ serial, kind, creator: 1, extent, firstRow: 0, rowCount: 64, firstBlock: serial % 3, keys: ["a"] },
    ...{ parent: undefined, childCount: 0, holderCount: 0, usedAt, reuseCount, queued: undefined },
  };
}

const leaves = fc
  .array(fc.tuple(fc.constantFrom("global", "local"), fc.nat(30), fc.nat(2)), { maxLength: 60 })
  .map((list) => list.map(([kind, usedAt, reuseCount], serial) => leaf(serial, kind, usedAt, reuseCount)));
const policies = fc.constantFrom<EvictionPolicy>(
  weightedAge(geometry),
  { priority: ({ usedAt }) => ({ base: -usedAt, slope: 0 }) },
  { priority: ({ usedAt, reuseCount }) => ({ base: -usedAt, slope: 1 / (1 + reuseCount) }) },
);

test("leaves go in the policy's order, whenever they are asked for, and whichever have left before", () => {
  fc.assert(
    fc.property(
      leaves,
      policies,
      fc.array(fc.nat(59)),
      fc.integer({ min: 30, max: 90 }),
      (list, policy, left, from) => {
        const queue = new EvictionQueue(policy);
        const queued = new Set(list);
        for (const each of list) queue.add(each);
        for (const index of left) {
          const each = list[index];
          if (each !== undefined && queued.delete(each)) queue.delete(each);
        }
        for (let now = from; queue.size > 0; now++) {
          const priorityOf = (each: PrefixNode) => {
            const { base, slope } = policy.priority(each);
            return base + slope * now;
          };
          const first = queue.peek(now);
          expect(first && priorityOf(first)).toBe(Math.max(...[...queued].map(priorityOf)));
          if (first === undefined || !queued.delete(first)) break;
          queue.delete(first);
        }
        expect([queued.size, queue.size, queue.peek(0)]).toEqual([0, 0, undefined]);
      },
    ),
  );
});

test("by weighted age a row of three local layers counts as three global ones, and as half when it was found again", () => {
  const ageAt = (kind: "global" | "local", reuseCount: number) => {
    const { base, slope } = weightedAge(geometry).priority(leaf(0, kind, 10, reuseCount));
    return base + slope * 15;
  };
  expect([ageAt("global", 0), ageAt("global", 4), ageAt("local", 0), ageAt("local", 1)]).toEqual([6, 3, 18, 9]);
});

test("of equal priority a local leaf goes before a global one, and the deepest first", () => {
  const queue = new EvictionQueue({ priority: () => ({ base: 0, slope: 0 }) });
  const list = [leaf(0, "global", 1, 0), leaf(1, "local", 1, 0), leaf(2, "global", 1, 0), leaf(4, "local", 1, 0)];
  for (const each of list) queue.add(each);
  const order = list.map(() => {
    const first = queue.peek(1) ?? at(list, -1);
    queue.delete(first);
    return first.serial;
  });
  expect(order).toEqual([1, 4, 2, 0]);
});

test("a policy with a slope for every leaf is a bug", () => {
  const queue = new EvictionQueue({ priority: ({ usedAt }) => ({ base: 0, slope: usedAt }) });
  expect(() => Array.from({ length: 100 }, (_, i) => queue.add(leaf(i, "local", i, 0)))).toThrow("few slopes");
});

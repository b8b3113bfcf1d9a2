import { type WorkerId, workerId } from "@drover/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ExpertAssignment, missingRoom, planExpertMap } from "./expert-assignment.ts";

const fleet = (numbers: readonly number[]): readonly WorkerId[] => numbers.map((n) => workerId(`w${n}`));

const countsOf = (owners: readonly (WorkerId | undefined)[], workers: readonly WorkerId[]) =>
  workers.map((worker) => owners.filter((owner) => owner === worker).length);

const workerNumbers = fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 9 });

/** Fewest experts that must leave their owner for counts that differ by at most one: the r largest owners keep one more. */
function fewestMoves(counts: readonly number[], expertCount: number): number {
  const floor = Math.floor(expertCount / counts.length);
  const ceilingCount = expertCount - floor * counts.length;
  return counts
    .toSorted((a, b) => b - a)
    .reduce((moves, count, index) => moves + Math.max(0, count - floor - (index < ceilingCount ? 1 : 0)), 0);
}

describe("planExpertMap", () => {
  it("gives every expert of every layer one owner, evenly, and moves no more than it must", () => {
    const assignmentOver = (numbers: readonly number[], layers: readonly number[], expertCount: number) =>
      fc
        .array(fc.constantFrom(...fleet(numbers)), { minLength: expertCount, maxLength: expertCount })
        .map((owners): ExpertAssignment => new Map(layers.map((layer) => [layer, owners])));
    const arbitrary = fc
      .record({ before: workerNumbers, after: workerNumbers, expertCount: fc.integer({ min: 1, max: 40 }) })
      .chain(({ before, after, expertCount }) =>
        fc.record({
          previous: assignmentOver(before, [1, 3], expertCount),
          workers: fc.constant(fleet(after)),
          expertCount: fc.constant(expertCount),
        }),
      );
    fc.assert(
      fc.property(arbitrary, ({ previous, workers, expertCount }) => {
        const plan = planExpertMap(previous, workers, [1, 3], expertCount);
        for (const layer of [1, 3]) {
          const owners = plan.get(layer) ?? [];
          const previousOwners = previous.get(layer) ?? [];
          const counts = countsOf(owners, workers);
          expect(owners).toHaveLength(expertCount);
          expect(counts.reduce((a, b) => a + b)).toBe(expertCount);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
          const kept = previousOwners.filter((owner) => workers.includes(owner));
          const moved = owners.filter((owner, e) => owner !== previousOwners[e]).length - (expertCount - kept.length);
          expect(moved).toBe(fewestMoves(countsOf(previousOwners, workers), expertCount));
        }
      }),
    );
  });

  it("evens out the totals over the layers when it starts from nothing", () => {
    fc.assert(
      fc.property(workerNumbers, fc.integer({ min: 1, max: 40 }), (numbers, expertCount) => {
        const workers = fleet(numbers);
        const plan = planExpertMap(new Map(), workers, [1, 3, 5, 7], expertCount);
        const totals = workers.map((worker) => [...plan.values()].flat().filter((owner) => owner === worker).length);
        expect(Math.max(...totals) - Math.min(...totals)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("moves only the experts of a worker that goes, and leaves the others' counts even", () => {
    const gone = fc.record({ count: fc.integer({ min: 2, max: 9 }), expertCount: fc.integer({ min: 1, max: 40 }) });
    fc.assert(
      fc.property(gone, fc.nat(), ({ count, expertCount }, which) => {
        const workers = fleet(Array.from({ length: count }, (_, index) => index));
        const goes = workers[which % count];
        const before = planExpertMap(new Map(), workers, [1, 3], expertCount);
        const stay = workers.filter((worker) => worker !== goes);
        const after = planExpertMap(before, stay, [1, 3], expertCount);
        for (const layer of [1, 3]) {
          const kept = before.get(layer)?.flatMap((owner, expert) => (owner === goes ? [] : [expert])) ?? [];
          for (const expert of kept) expect(after.get(layer)?.[expert]).toBe(before.get(layer)?.[expert]);
          const counts = countsOf(after.get(layer) ?? [], stay);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it("gives no worker more than its room, and those whose room is not full no fewer than any other, but for one a layer", () => {
    const limited = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(limited, fc.integer({ min: 1, max: 20 }), (rooms, expertCount) => {
        const layers = [1, 3, 5];
        const workers = fleet(rooms.map((_, index) => index));
        const room = new Map(rooms.map((count, index) => [workerId(`w${index}`), count]));
        fc.pre(missingRoom(workers, layers.length * expertCount, room) === 0);
        const plan = planExpertMap(new Map(), workers, layers, expertCount, room);
        const totals = countsOf([...plan.values()].flat(), workers);
        const most = Math.max(...totals);
        expect(totals.reduce((a, b) => a + b)).toBe(layers.length * expertCount);
        for (const [index, total] of totals.entries()) {
          expect(total).toBeLessThanOrEqual(rooms[index] ?? 0);
          if (total < (rooms[index] ?? 0)) expect(total).toBeGreaterThanOrEqual(most - layers.length);
        }
      }),
    );
  });

  it("depends on who the workers are, not on the order in which they are named", () => {
    fc.assert(
      fc.property(workerNumbers, fc.integer({ min: 1, max: 40 }), (numbers, expertCount) => {
        const forward = planExpertMap(new Map(), fleet(numbers), [1], expertCount);
        expect(planExpertMap(new Map(), fleet(numbers.toReversed()), [1], expertCount)).toEqual(forward);
        expect(planExpertMap(forward, fleet(numbers), [1], expertCount)).toEqual(forward);
      }),
    );
  });

  it("hands a new worker's experts out in ascending runs", () => {
    const plan = planExpertMap(new Map(), fleet([0, 1, 2]), [1], 8);
    expect(plan.get(1)).toEqual(fleet([0, 0, 0, 1, 1, 1, 2, 2]));
  });

  it("plans nothing without a worker", () => {
    expect(planExpertMap(new Map(), [], [1], 8).size).toBe(0);
  });
});

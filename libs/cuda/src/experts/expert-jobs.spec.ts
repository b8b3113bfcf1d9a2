import { at } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { expertJobs } from "./expert-jobs.ts";

const call = fc.array(fc.record({ expert: fc.nat(5), count: fc.nat(9) }), { maxLength: 4 }).map((list) => ({
  experts: list.map(({ expert }) => expert),
  counts: list.map(({ count }) => count),
}));

test("every row of every call has a place of its own, within one job of its own expert, and no job is too large", () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 4 }), fc.integer({ min: 1, max: 8 }), (calls, most) => {
      const { rowCount, places, jobs } = expertJobs(calls, () => most);
      const expertAt: number[] = [];
      for (let job = 0; job < jobs.length; job += 4) {
        const [expert, first, count] = [at(jobs, job), at(jobs, job + 1), at(jobs, job + 2)];
        expect(count).toBeGreaterThan(0);
        expect(count).toBeLessThanOrEqual(most);
        expect(first).toBe(expertAt.length);
        for (let i = 0; i < count; i++) expertAt.push(expert);
      }
      expect(expertAt.length).toBe(rowCount);
      const taken = calls.flatMap(({ experts, counts }, c) =>
        experts.flatMap((expert, i) =>
          Array.from({ length: at(counts, i) }, (_, row) => {
            const place = at(at(places, c), i) + row;
            expect(expertAt[place]).toBe(expert);
            return place;
          }),
        ),
      );
      expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: rowCount }, (_, i) => i));
    }),
    { numRuns: 50 },
  );
});

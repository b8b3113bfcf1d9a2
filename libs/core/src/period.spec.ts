import fc from "fast-check";
import { expect, test } from "vitest";
import { restOfPeriod } from "./period.ts";

const periods = fc.integer({ min: 20, max: 10_000 });

test("whoever waits for the rest of a period meets whoever else does, at most a millisecond behind a multiple of it", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), periods, (nowMs, periodMs) => {
      const behindMs = (nowMs + restOfPeriod(nowMs, periodMs)) % periodMs;
      expect(Math.min(behindMs, periodMs - behindMs)).toBeLessThan(1.001);
    }),
  );
});

test("a wait lasts a tenth of the period at least, and a tenth more than it at most", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), periods, (nowMs, periodMs) => {
      const ms = restOfPeriod(nowMs, periodMs);
      expect(ms).toBeGreaterThanOrEqual(0.1 * periodMs);
      expect(ms).toBeLessThanOrEqual(Math.ceil(1.1 * periodMs));
    }),
  );
});

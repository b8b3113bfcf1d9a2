import fc from "fast-check";
import { expect, test } from "vitest";
import { kvGeometry } from "./geometry.ts";
import { ownRowsMax, segmentBytes, stripedBytes, stripeHolder } from "./stripe-assignment.ts";

const geometry = kvGeometry({ isGlobalLayer: [false, true, true], chunkSize: 256, kvHeadCount: 2, headDim: 4 }, "f32");

test("holders with room have equal shares of every prefix of the segments", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(100), fc.integer({ min: 1, max: 200 }), (count, first, end) => {
      const holders = Array.from({ length: count }, () => ({ bytesFree: 1 }));
      const shares = new Array<number>(count).fill(0);
      for (let segment = 0; segment < end; segment++) {
        const index = stripeHolder(holders, segment, first, 1) ?? -1;
        shares[index] = (shares[index] ?? 0) + 1;
      }
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    }),
  );
});

test("a segment goes only where there is room for it, and somewhere while there is any", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10)), fc.nat(50), fc.nat(50), (free, segment, first) => {
      const holders = free.map((bytesFree) => ({ bytesFree }));
      const index = stripeHolder(holders, segment, first, 5);
      if (index === undefined) expect(Math.max(0, ...free)).toBeLessThan(5);
      else expect(free[index]).toBeGreaterThanOrEqual(5);
    }),
  );
});

test("what is given away and what is kept are all rows, to a segment", () => {
  expect(segmentBytes(geometry)).toBe(1024 * 2 * 64);
  expect(stripedBytes(geometry, 1023)).toBe(0);
  expect(stripedBytes(geometry, 131_072)).toBe(131_072 * 2 * 64);
  expect(ownRowsMax(geometry, 1500)).toBe(1500);
  expect(ownRowsMax(geometry, 131_072)).toBe(3072);
});

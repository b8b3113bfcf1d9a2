import fc from "fast-check";
import { expect, test } from "vitest";
import { PARTS_MAX, partCount, partRowsMin } from "./attention-kernels.ts";

/** Parts of one row's positions, as `partRows` of attention.cu cuts them. */
function partsOf(count: number, least: number): number {
  const rows = Math.max(least, Math.ceil(Math.ceil(count / PARTS_MAX) / 64) * 64);
  return Math.ceil(count / rows);
}

test("a step has as many parts as any of its rows, whichever of them sees the most", () => {
  const positions = fc.integer({ min: 1, max: 2 ** 20 });
  fc.assert(
    fc.property(positions, positions, fc.integer({ min: 1, max: 300 }), fc.boolean(), (a, b, rowCount, isExact) => {
      const least = partRowsMin(rowCount, isExact ? "f32" : "f16");
      const parts = partCount(Math.max(a, b), least);
      expect(parts).toBeGreaterThanOrEqual(Math.max(partsOf(a, least), partsOf(b, least)));
      expect(parts).toBeLessThanOrEqual(PARTS_MAX);
    }),
    { examples: [[4096, 4160, 1, true]] },
  );
});

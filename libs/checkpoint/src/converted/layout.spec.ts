import fc from "fast-check";
import { expect, test } from "vitest";
import { CONVERTED_PART_BYTES_MAX } from "../limits.ts";
import { linearBytes } from "../tensors/quantization.ts";
import { type UnitLayout, unitLayout } from "./layout.ts";

const quantizations = fc.record({
  bits: fc.constantFrom(4 as const, 8 as const),
  blockSize: fc.constantFrom(32 as const, 64 as const, 128 as const),
});
const shapes = fc.array(
  fc.record({ outSize: fc.integer({ min: 1, max: 300_000 }), inSize: fc.integer({ min: 1, max: 17_000 }) }),
  {
    minLength: 1,
    maxLength: 3,
  },
);

const partsOf = (layout: UnitLayout) => layout.linears.flatMap(({ parts }) => parts);

test("extents are aligned, lie behind one another in the file, and never overlap", () => {
  fc.assert(
    fc.property(shapes, quantizations, (linears, quantization) => {
      const layout = unitLayout(linears, quantization);
      const parts = partsOf(layout);
      const weights = parts.flatMap(({ packed, scales }) => [packed, scales]);
      let end = 0;
      for (const { offset, length } of [...weights, ...parts.map(({ prepared }) => prepared)]) {
        expect(offset % 64).toBe(0);
        expect(offset).toBeGreaterThanOrEqual(end);
        expect(offset - end).toBeLessThan(64);
        end = offset + length;
      }
      expect(layout.byteCount).toBe(end);
      expect(parts[0]?.prepared.offset).toBe(layout.preparedStart);
    }),
  );
});

test("a Linear's parts have all its rows once, and each can be packed in bounded memory", () => {
  fc.assert(
    fc.property(shapes, quantizations, (linears, quantization) => {
      const layout = unitLayout(linears, quantization);
      for (const { outSize, parts } of layout.linears) {
        let next = 0;
        for (const { firstRow, rowCount, packed } of parts) {
          expect(firstRow).toBe(next);
          expect(rowCount).toBeGreaterThan(0);
          expect(packed.length).toBeLessThanOrEqual(CONVERTED_PART_BYTES_MAX * 1.01);
          next += rowCount;
        }
        expect(next).toBe(outSize);
      }
    }),
  );
});

test("weights take what the same Linears take in memory", () => {
  fc.assert(
    fc.property(shapes, quantizations, (linears, quantization) => {
      const inMemory = linears.map(({ outSize, inSize }) => linearBytes(outSize, inSize, quantization));
      expect(unitLayout(linears, quantization).weightBytes).toBe(inMemory.reduce((a, b) => a + b, 0));
    }),
  );
});

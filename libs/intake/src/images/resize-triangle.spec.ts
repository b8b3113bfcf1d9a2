import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resizeTriangle } from "./resize-triangle.ts";
import type { RgbPicture } from "./rgb-picture.ts";

const side = fc.integer({ min: 1, max: 40 });

const anyPicture = fc
  .tuple(side, side)
  .chain(([width, height]) =>
    fc
      .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
      .map((pixels): RgbPicture => ({ width, height, pixels })),
  );

/** The filter as it is stated, in doubles: one pass over `length` samples that lie `stride` apart. */
function resizedLine(levels: readonly number[], length: number): number[] {
  const scale = levels.length / length;
  const support = Math.max(scale, 1);
  return Array.from({ length }, (_, index) => {
    const center = (index + 0.5) * scale;
    let sum = 0;
    let total = 0;
    levels.forEach((level, sample) => {
      const weight = Math.max(1 - Math.abs(sample + 0.5 - center) / support, 0);
      sum += weight * level;
      total += weight;
    });
    return Math.floor(sum / total + 0.5);
  });
}

function referenceResize(
  { width: fromWidth, height: fromHeight, pixels }: RgbPicture,
  width: number,
  height: number,
): number[] {
  const out = Array<number>(width * height * 3).fill(0);
  for (let channel = 0; channel < 3; channel++) {
    const rows = Array.from({ length: fromHeight }, (_, y) =>
      resizedLine(
        Array.from({ length: fromWidth }, (_, x) => pixels[(y * fromWidth + x) * 3 + channel] ?? 0),
        width,
      ),
    );
    for (let x = 0; x < width; x++) {
      const column = resizedLine(
        rows.map((row) => row[x] ?? 0),
        height,
      );
      column.forEach((level, y) => {
        out[(y * width + x) * 3 + channel] = level;
      });
    }
  }
  return out;
}

describe("the triangle filter", () => {
  test("is the stated one in doubles, but for one level in the few places where its rounded weights decide a tie", () => {
    let sampleCount = 0;
    let otherCount = 0;
    fc.assert(
      fc.property(anyPicture, side, side, (picture, width, height) => {
        const { pixels } = resizeTriangle(picture, width, height);
        const wanted = referenceResize(picture, width, height);
        expect(pixels.length).toBe(wanted.length);
        wanted.forEach((level, index) => {
          const difference = Math.abs(level - (pixels[index] ?? Number.NaN));
          expect(difference).toBeLessThanOrEqual(1);
          sampleCount += 1;
          otherCount += difference;
        });
      }),
      { numRuns: 200, seed: 1 },
    );
    // Sizes this small tie often: a sum of few whole levels by small fractions.
    expect(otherCount).toBeLessThan(sampleCount / 50);
  });

  test("keeps a level that all pixels have, however many it adds up", () => {
    for (const level of [0, 1, 128, 254, 255]) {
      for (const [width, height] of [
        [1, 65_535],
        [65_535, 1],
        [777, 333],
      ] as const) {
        const pixels = new Uint8Array(width * height * 3).fill(level);
        const resized = resizeTriangle({ width, height, pixels }, 336, 112).pixels;
        expect(new Set(resized), `${level} of ${width} x ${height}`).toEqual(new Set([level]));
      }
    }
  });

  test("leaves a picture of the wanted size alone", () => {
    const picture = { width: 2, height: 1, pixels: Uint8Array.of(1, 2, 3, 4, 5, 6) };
    expect(resizeTriangle(picture, 2, 1).pixels).toEqual(picture.pixels);
  });
});

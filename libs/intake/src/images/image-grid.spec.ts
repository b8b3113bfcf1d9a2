import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imageGrid } from "./image-grid.ts";
import type { ImageSettings } from "./image-settings.ts";

const anySettings = fc.record({
  tileSize: fc.constantFrom(14, 56, 112, 336, 448),
  tileCountMax: fc.integer({ min: 1, max: 20 }),
});
const side = fc.oneof(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 65_535 }));

type Single = Readonly<{ float32: Float32Array }>;
type Real = number | Single;

/** A number of a float32 tensor, as the reference has them. */
const single = (value: number): Single => ({ float32: Float32Array.of(value) });
const numberOf = (real: Real) => (typeof real === "number" ? real : (real.float32[0] ?? Number.NaN));
/** Quotient and product as the reference's types give them: a tensor's partner becomes float32. */
const over = (top: Real, bottom: number): Real =>
  typeof top === "number" ? top / bottom : single(numberOf(top) / numberOf(single(bottom)));
const times = (factor: number, real: Real): Real =>
  typeof real === "number" ? factor * real : single(numberOf(single(factor)) * numberOf(real));
const isBelow = (left: Real, right: Real) =>
  typeof left === "number" && typeof right === "number"
    ? left < right
    : numberOf(single(numberOf(left))) < numberOf(single(numberOf(right)));
/** The first, unless a later one is less: so a plain number stays one where a tensor equals it. */
const least = (first: number, later: Single): Real => (numberOf(later) < first ? later : first);

/** The rule spelled out: all canvases are listed, the best scale is sought, then the least area. */
function referenceGrid(width: number, height: number, { tileSize, tileCountMax }: ImageSettings) {
  const canvases: [number, number][] = [];
  for (let count = tileCountMax; count >= 1; count--) {
    for (let rows = 1; rows <= count; rows++) if (count % rows === 0) canvases.push([rows, count / rows]);
  }
  const scaled = canvases.map(([rows, cols]) => ({
    rows,
    cols,
    scale: Math.min(numberOf(over(single(cols * tileSize), width)), numberOf(over(single(rows * tileSize), height))),
  }));
  const scales = scaled.map(({ scale }) => scale);
  const enlarging = scales.filter((scale) => scale >= 1);
  const chosen = enlarging.length > 0 ? Math.min(...enlarging) : Math.max(...scales);
  const [best] = scaled.filter(({ scale }) => scale === chosen).sort((a, b) => a.rows * a.cols - b.rows * b.cols);
  if (best === undefined) throw new Error("there is always a canvas");
  const targetHeight = least(Math.max(height, tileSize), single(best.rows * tileSize));
  const targetWidth = least(Math.max(width, tileSize), single(best.cols * tileSize));
  const scaleHeight = over(targetHeight, height);
  const scaleWidth = over(targetWidth, width);
  const resized = isBelow(scaleWidth, scaleHeight)
    ? {
        height: Math.min(Math.floor(numberOf(times(height, scaleWidth))), numberOf(targetHeight)),
        width: numberOf(targetWidth),
      }
    : {
        height: numberOf(targetHeight),
        width: Math.min(Math.floor(numberOf(times(width, scaleHeight))), numberOf(targetWidth)),
      };
  return {
    grid: { rows: best.rows, cols: best.cols },
    resized: { height: Math.max(resized.height, 1), width: Math.max(resized.width, 1) },
  };
}

describe("an image's grid", () => {
  test("is that of the rule spelled out with the reference's number types", () => {
    fc.assert(
      fc.property(side, side, anySettings, (width, height, settings) => {
        expect(imageGrid(width, height, settings)).toEqual(referenceGrid(width, height, settings));
      }),
      { numRuns: 3_000 },
    );
  });

  test("holds the resized picture, of which one side is filled or as long as it was", () => {
    fc.assert(
      fc.property(side, side, anySettings, (width, height, settings) => {
        const { tileSize } = settings;
        const { grid, resized } = imageGrid(width, height, settings);
        expect(grid.rows * grid.cols).toBeLessThanOrEqual(settings.tileCountMax);
        expect(resized.height).toBeLessThanOrEqual(grid.rows * tileSize);
        expect(resized.width).toBeLessThanOrEqual(grid.cols * tileSize);
        const full = [grid.rows * tileSize, grid.cols * tileSize, height, width, tileSize];
        expect(full.includes(resized.height) || full.includes(resized.width)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  test("depends on float32 where the canvas limits: in doubles some sizes differ by a pixel", () => {
    const settings = { tileSize: 336, tileCountMax: 16 };
    const hasOtherSize = (width: number, height: number) => {
      const { grid, resized } = imageGrid(width, height, settings);
      const ratio = Math.min((grid.cols * 336) / width, (grid.rows * 336) / height);
      const inDoubles = { height: Math.floor(height * ratio), width: Math.floor(width * ratio) };
      return resized.height !== inDoubles.height || resized.width !== inDoubles.width;
    };
    const sizes = Array.from({ length: 1_000 }, (_, index) => 1_400 + 3 * index);
    expect(sizes.filter((width) => hasOtherSize(width, 2 * width)).length).toBeGreaterThan(0);
  });
});

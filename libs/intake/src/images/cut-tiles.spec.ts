import { tileCountOf, tilesHash } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cutTiles } from "./cut-tiles.ts";
import { imageGrid } from "./image-grid.ts";
import { resizeTriangle } from "./resize-triangle.ts";

test("tiles laid side by side are the resized picture with 0 at the right and below, and the last one is all of it", () => {
  const side = fc.integer({ min: 1, max: 60 });
  const anySettings = fc.record({
    tileSize: fc.integer({ min: 1, max: 16 }),
    tileCountMax: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(side, side, anySettings, fc.nat(255), (width, height, settings, seed) => {
      const { tileSize } = settings;
      const pixels = Uint8Array.from({ length: width * height * 3 }, (_, index) => 1 + ((seed + index * 37) % 255));
      const picture = { width, height, pixels };
      const { grid, resized } = imageGrid(width, height, settings);
      const tiles = cutTiles(picture, settings);
      const tileCount = tileCountOf(grid);
      expect(tiles).toMatchObject({ grid, tileSize, contentHash: tilesHash(tileCount, tileSize, tiles.pixels) });
      expect(tiles.pixels.length).toBe(tileCount * tileSize ** 2 * 3);
      const fitted = resizeTriangle(picture, resized.width, resized.height);
      for (let y = 0; y < grid.rows * tileSize; y++) {
        for (let x = 0; x < grid.cols * tileSize; x++) {
          const tile = Math.floor(y / tileSize) * grid.cols + Math.floor(x / tileSize);
          const at = ((tile * tileSize + (y % tileSize)) * tileSize + (x % tileSize)) * 3;
          const isInside = y < resized.height && x < resized.width;
          expect(tiles.pixels[at]).toBe(isInside ? fitted.pixels[(y * resized.width + x) * 3] : 0);
        }
      }
      if (tileCount > 1) {
        const last = tiles.pixels.subarray((tileCount - 1) * tileSize ** 2 * 3);
        expect(last).toEqual(resizeTriangle(picture, tileSize, tileSize).pixels);
      }
    }),
  );
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ImageTiles, tileCountOf } from "@drover/core";
import { afterAll, describe, expect, test } from "vitest";
import { decodeImage } from "./decode-image.ts";
import { imageGrid } from "./image-grid.ts";
import { ImagePool } from "./image-pool.ts";
import { loadImageSettings } from "./image-settings.ts";
import { goldens, readLines, withoutGoldens } from "./testing/reference-data.ts";
import { settingsOf } from "./testing/settings.ts";

type Grid = Readonly<{ setting: keyof typeof settingsOf; rows: number; cols: number; resized: readonly number[] }>;
type GridCase = Grid & Readonly<{ width: number; height: number }>;
type Rgb = readonly [number, number, number];
type ImageCase = Grid &
  Readonly<{
    name: string;
    file: string;
    shape: readonly number[];
    means: readonly Rgb[];
    blocks: readonly (readonly (readonly Rgb[])[])[];
    samples: readonly (readonly [number, number, number, Rgb])[];
  }>;
type Golden = Readonly<{ images?: readonly string[]; tiles?: readonly string[] }>;

const { signal } = new AbortController();

describe.skipIf(withoutGoldens)("image goldens (need ../shared)", () => {
  const pools = {
    maverick: new ImagePool(settingsOf.maverick, { threads: 1 }),
    nano: new ImagePool(settingsOf.nano, { threads: 1 }),
  };
  afterAll(async () => {
    for (const pool of Object.values(pools)) await pool[Symbol.asyncDispose]();
  });
  const imageCases = withoutGoldens ? [] : readLines<ImageCase>("images/images.jsonl");

  test("every size has the reference's grid and resized size", () => {
    const cases = readLines<GridCase>("images/grids.jsonl");
    expect(cases.length).toBeGreaterThan(400);
    for (const { setting, width, height, rows, cols, resized } of cases) {
      expect(imageGrid(width, height, settingsOf[setting]), `${width} x ${height}`).toEqual({
        grid: { rows, cols },
        resized: { height: resized[0], width: resized[1] },
      });
    }
  });

  test.each(imageCases)("$name has the reference's tiles in $setting's setting", async (golden) => {
    const settings = settingsOf[golden.setting];
    const file = readFileSync(join(goldens, "images", golden.file));
    const tiles = await pools[golden.setting].process(file, signal);
    expect(tiles.grid).toEqual({ rows: golden.rows, cols: golden.cols });
    expect([tileCountOf(tiles.grid), 3, tiles.tileSize, tiles.tileSize]).toEqual(golden.shape);
    expect(tiles.tileSize).toBe(settings.tileSize);
    // The rule allows 1 level, and 2 for lossy files; the filter's arithmetic is the reference's, and so are these decoders.
    expect(sampleError(tiles, golden.samples)).toBe(0);
    golden.means.forEach((mean, tile) => {
      expect(largestDifference(meanOf(tiles, tile, 0, 0, tiles.tileSize), mean)).toBeLessThanOrEqual(0.5);
    });
    const side = tiles.tileSize / 7;
    golden.blocks.forEach((rows, tile) => {
      rows.forEach((cols, row) => {
        cols.forEach((block, col) => {
          // Blocks are rounded, so half a level more may show.
          const mean = meanOf(tiles, tile, row * side, col * side, side).map(Math.round);
          expect(largestDifference(mean, block)).toBeLessThanOrEqual(1);
        });
      });
    });
  });

  test.each(["nano", "nano-fp8", "nano-ct-fp8", "scout"])(
    "%s's pictures are cut into the reference's tiles",
    async (folder) => {
      const checkpoint = folder === "scout" ? join(goldens, "scout/checkpoint") : join(goldens, "..", folder);
      const settings = await loadImageSettings(checkpoint);
      if (settings === undefined) throw new Error(`${folder} has no image settings`);
      await using pool = new ImagePool(settings, { threads: 1 });
      let imageCount = 0;
      for (const { images = [], tiles = [] } of readLines<Golden>(`${folder}/goldens.jsonl`)) {
        if (images.length === 0) continue;
        const read = (name: string) => readFileSync(join(goldens, folder, name));
        const cut = await Promise.all(images.map((name) => pool.process(read(name), signal)));
        const wanted = await Promise.all(tiles.map((name) => decodeImage(read(name))));
        const pixels = Buffer.concat(cut.map((image) => image.pixels));
        expect(worstDifference(pixels, Buffer.concat(wanted.map((tile) => tile.pixels)))).toBe(0);
        imageCount += images.length;
      }
      expect(imageCount).toBeGreaterThan(0);
    },
  );
});

/** The largest difference of the samples. */
function sampleError({ tileSize, pixels }: ImageTiles, samples: ImageCase["samples"]): number {
  const errors = samples.map(([tile, y, x, rgb]) => {
    const at = ((tile * tileSize + y) * tileSize + x) * 3;
    return largestDifference(pixels.subarray(at, at + 3), rgb);
  });
  return Math.max(...errors);
}

/** Mean levels of a square of a tile. */
function meanOf({ tileSize, pixels }: ImageTiles, tile: number, top: number, left: number, side: number): number[] {
  const sums = [0, 0, 0];
  for (let y = top; y < top + side; y++) {
    for (let x = left; x < left + side; x++) {
      const at = ((tile * tileSize + y) * tileSize + x) * 3;
      for (let channel = 0; channel < 3; channel++) sums[channel] = (sums[channel] ?? 0) + (pixels[at + channel] ?? 0);
    }
  }
  return sums.map((sum) => sum / side ** 2);
}

function largestDifference(left: ArrayLike<number>, right: readonly number[]): number {
  return Math.max(...right.map((value, index) => Math.abs(value - (left[index] ?? Number.NaN))));
}

/** The largest difference of two buffers of one length. */
function worstDifference(left: Uint8Array, right: Uint8Array): number {
  expect(left.length).toBe(right.length);
  return left.reduce((worst, value, index) => Math.max(worst, Math.abs(value - (right[index] ?? 0))), 0);
}

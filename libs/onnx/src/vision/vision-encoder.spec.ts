import { join } from "node:path";
import { loadVisionConfig, openCheckpoint, VisionWeights } from "@drover/checkpoint";
import { expect, test } from "vitest";
import { referenceFeatures } from "./testing/reference-vision.ts";
import { VisionEncoder } from "./vision-encoder.ts";

const nano = join(import.meta.dirname, "../../../../models/nano");
const TILE_BYTES = 112 ** 2 * 3;
/** Tiles that differ from place to place and from each other. */
const tiles = (count: number) =>
  Uint8Array.from({ length: count * TILE_BYTES }, (_, i) => 127 + 120 * Math.sin(i / 31 + i ** 2 / 1e7));

async function openEncoder() {
  const config = await loadVisionConfig(nano);
  if (config === undefined) throw new Error("nano reads images");
  const checkpoint = await openCheckpoint(nano);
  const encoder = await VisionEncoder.load(checkpoint, config, { threads: 1 });
  return { config, checkpoint, encoder, [Symbol.asyncDispose]: () => checkpoint[Symbol.asyncDispose]() };
}

test("features are those of the equations in float64", async () => {
  await using opened = await openEncoder();
  const { config, checkpoint, encoder } = opened;
  const rows = encoder.encode(1, tiles(1));
  const expected = (await referenceFeatures(config, new VisionWeights(checkpoint, config), tiles(1))).flat();
  expect(rows).toHaveLength(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (rows[i] ?? Number.NaN))), 0);
  expect(worst / scale).toBeLessThan(1e-5);
});

test("a tile's features do not depend on the tiles beside it", async () => {
  await using opened = await openEncoder();
  const { encoder, config } = opened;
  const count = 13;
  const together = encoder.encode(count, tiles(count));
  const size = config.rowsPerTile * config.textHiddenSize;
  for (let tile = 0; tile < count; tile++) {
    const pixels = tiles(count).subarray(tile * TILE_BYTES, (tile + 1) * TILE_BYTES);
    const alone = encoder.encode(1, pixels);
    const worst = alone.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - (together[tile * size + i] ?? 9))),
      0,
    );
    expect(worst).toBeLessThan(1e-4);
  }
});

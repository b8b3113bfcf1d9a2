import { join } from "node:path";
import { loadVisionConfig, openCheckpoint, VisionWeights } from "@drover/checkpoint";
import { at, neverAborted } from "@drover/core";
import { CardVision, openCuda } from "@drover/cuda";
import { VisionEncoder } from "@drover/onnx";
import { afterAll, describe, expect, test } from "vitest";
import { cpuCardKernels, cpuCardLibraries, hasCpuCard } from "../../libs/cuda/src/testing/cpu-card.ts";

/** Of the greatest feature; found are 2e-6. */
const ERROR_MAX = 1e-5;
const nano = join(import.meta.dirname, "../../models/nano");

describe.skipIf(!hasCpuCard)("a vision encoder on a card (a CPU in its place; needs g++)", async () => {
  if (!hasCpuCard) return;
  const cuda = await openCuda(0, cpuCardLibraries());
  const free = cuda.device.freeBytes;
  const stream = cuda.device.createStream();
  const checkpoint = await openCheckpoint(nano);
  const config = await loadVisionConfig(nano);
  if (config === undefined) throw new Error("nano reads images");
  const weights = new VisionWeights(checkpoint, config);
  const tileBytes = config.imageSize ** 2 * 3;
  /** Pixels that differ from place to place and from tile to tile. */
  const pixels = Uint8Array.from({ length: 2 * tileBytes }, (_, i) => 127 + 120 * Math.sin(i / 31 + i ** 2 / 1e7));
  const tiles = (first: number, count: number) => pixels.slice(first * tileBytes, (first + count) * tileBytes);
  using encoder = await VisionEncoder.load(checkpoint, config, { threads: 1 });
  const expected = encoder.encode(2, pixels);
  const size = config.rowsPerTile * config.textHiddenSize;
  const scale = Math.max(...expected.map(Math.abs));
  const encoded: number[] = [];
  const load = (precision: "f32" | "f16", more: { queueMax?: number } = {}) => {
    const onEncoded = (tileCount: number) => encoded.push(tileCount);
    const options = { precision, cacheFolder: cpuCardKernels(), stream, onEncoded, ...more };
    return CardVision.load(cuda, config, weights, options, neverAborted);
  };
  /** The greatest difference from features of the CPU's encoder, from a tile on, as a part of the greatest feature. */
  const error = (found: Float32Array, first: number) =>
    found.reduce((most, value, i) => Math.max(most, Math.abs(value - at(expected, first * size + i))), 0) / scale;
  afterAll(() => cuda.device.close());

  for (const precision of ["f32", "f16"] as const)
    test(`features in ${precision} are those of the CPU's encoder, whatever images are encoded together`, async () => {
      await using card = await load(precision);
      const [one, two] = await Promise.all([
        card.encode(1, tiles(0, 1), neverAborted),
        card.encode(1, tiles(1, 1), neverAborted),
      ]);
      const alone = await card.encode(1, tiles(1, 1), neverAborted);
      for (const [found, first] of [
        [one, 0],
        [two, 1],
        [alone, 1],
      ] as const) {
        expect(found).toHaveLength(size);
        expect(error(found, first)).toBeLessThan(ERROR_MAX);
      }
      expect(encoded.splice(0)).toEqual([1, 1, 1]);
    });

  test("an image that nobody wants is given up, one too many is refused, and an end refuses all", async () => {
    const card = await load("f32", { queueMax: 1 });
    const gone = new AbortController();
    const left = card.encode(1, tiles(0, 1), gone.signal);
    const code = (work: Promise<unknown>) =>
      work.then(
        () => "none",
        ({ code }) => code,
      );
    const refused = code(card.encode(1, tiles(1, 1), neverAborted));
    gone.abort(new Error("the client is gone"));
    expect(await refused).toBe("overloaded");
    await expect(left).rejects.toThrow("the client is gone");
    const last = code(card.encode(1, tiles(1, 1), neverAborted));
    expect(card.load).toBe(1);
    await card[Symbol.asyncDispose]();
    expect([await last, await code(card.encode(1, tiles(0, 1), neverAborted))]).toEqual(["unavailable", "unavailable"]);
  });

  test("nothing stays on the card", async () => {
    cuda.device.destroyStream(stream);
    expect(cuda.device.freeBytes).toBe(free);
  });
});

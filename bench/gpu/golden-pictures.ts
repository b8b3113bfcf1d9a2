import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Checkpoint, loadVisionConfig, VisionWeights } from "@drover/checkpoint";
import { neverAborted } from "@drover/core";
import { CardVision, type Cuda, type Precision } from "@drover/cuda";
import { decodeImage } from "../../libs/intake/src/images/decode-image.ts";
import type { GoldenCase } from "./golden-case.ts";

/** Features of all cases' tiles, made on the card; the encoder is gone from it afterwards. */
export async function encodeTiles(
  cuda: Cuda,
  checkpoint: Checkpoint,
  goldens: string,
  cases: readonly GoldenCase[],
  precision: Precision,
  cacheFolder: string | undefined,
): Promise<ReadonlyMap<string, Float32Array>> {
  const config = await loadVisionConfig(checkpoint.directory);
  const pictured = cases.filter(({ tiles = [] }) => tiles.length > 0);
  if (config === undefined || pictured.length === 0) return new Map();
  const stream = cuda.device.createStream();
  const options = { precision, cacheFolder, stream, onEncoded: () => undefined };
  const weights = new VisionWeights(checkpoint, config);
  const vision = await CardVision.load(cuda, config, weights, options, neverAborted);
  const features = async ({ name, tiles = [] }: GoldenCase) => {
    const decoded = await Promise.all(tiles.map(async (tile) => decodeImage(await readFile(join(goldens, tile)))));
    const pixels = Buffer.concat(decoded.map((picture) => picture.pixels));
    return [name, await vision.encode(tiles.length, pixels, neverAborted)] as const;
  };
  const all = new Map(await Promise.all(pictured.map(features)));
  await vision[Symbol.asyncDispose]();
  cuda.device.destroyStream(stream);
  return all;
}

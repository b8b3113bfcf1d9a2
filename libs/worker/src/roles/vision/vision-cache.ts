import type { VisionConfig } from "@drover/checkpoint";
import { DroverError } from "@drover/core";

/** Errors: `invalid_argument` for a cache that keeps not even the features of one tile, so that every picture would be refused. */
export function checkVisionCache(
  bytesMax: number,
  { rowsPerTile, textHiddenSize }: Pick<VisionConfig, "rowsPerTile" | "textHiddenSize">,
): void {
  const tileBytes = rowsPerTile * textHiddenSize * Float32Array.BYTES_PER_ELEMENT;
  if (bytesMax >= tileBytes) return;
  const sentence = `--vision-cache: ${bytesMax} bytes hold the features of no picture; the least that works is ${tileBytes}, for one tile`;
  throw new DroverError("invalid_argument", sentence, { field: "vision_cache" });
}

import { assert, type ImageTiles } from "@drover/core";
import type { RequestImage } from "@drover/openai";
import type { ServedImages } from "../served-model.ts";

/** Finds each image's rows: the prompt's patch tokens in order, as many for an image as its tiles have patches. */
export function placeImages(
  ids: Uint32Array,
  tilesOfImages: readonly ImageTiles[],
  { patchTokenId, patchesPerTile }: ServedImages,
): readonly RequestImage[] {
  let at = 0;
  return tilesOfImages.map((tiles) => {
    const runs: { start: number; count: number }[] = [];
    let missing = (tiles.pixels.byteLength / (3 * tiles.tileSize ** 2)) * patchesPerTile;
    for (; missing > 0; at++) {
      assert(at < ids.length, "a prompt has a patch token for every row of its images' features");
      if (ids[at] !== patchTokenId) continue;
      const last = runs.at(-1);
      if (last !== undefined && last.start + last.count === at) last.count += 1;
      else runs.push({ start: at, count: 1 });
      missing -= 1;
    }
    return { tiles, runs };
  });
}

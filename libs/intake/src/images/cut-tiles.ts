import { type ImageTiles, tileCountOf, tilesHash } from "@drover/core";
import { imageGrid } from "./image-grid.ts";
import type { ImageSettings } from "./image-settings.ts";
import { resizeTriangle } from "./resize-triangle.ts";
import type { RgbPicture } from "./rgb-picture.ts";

/**
 * Resizes a picture, pads it with 0 at the right and bottom to its grid's canvas and cuts that into tiles, row by row.
 * Where there is more than one, the whole picture resized to one tile, its aspect not kept, comes last.
 */
export function cutTiles(picture: RgbPicture, settings: ImageSettings): ImageTiles {
  const { tileSize } = settings;
  const { grid, resized } = imageGrid(picture.width, picture.height, settings);
  const tileCount = tileCountOf(grid);
  const tileBytes = tileSize * tileSize * 3;
  const pixels = new Uint8Array(tileCount * tileBytes);
  const fitted = resizeTriangle(picture, resized.width, resized.height);
  for (let row = 0; row < grid.rows; row++) {
    for (let col = 0; col < grid.cols; col++) {
      const at = (row * grid.cols + col) * tileBytes;
      copyTile(fitted, row * tileSize, col * tileSize, tileSize, pixels.subarray(at, at + tileBytes));
    }
  }
  if (tileCount > 1) pixels.set(resizeTriangle(picture, tileSize, tileSize).pixels, (tileCount - 1) * tileBytes);
  return { grid, tileSize, pixels, contentHash: tilesHash(tileCount, tileSize, pixels) };
}

/** Copies what the picture has of a tile; the rest of `tile` stays as it is. */
function copyTile(
  { width, height, pixels }: RgbPicture,
  top: number,
  left: number,
  tileSize: number,
  tile: Uint8Array,
) {
  const rowBytes = Math.max(Math.min(width - left, tileSize), 0) * 3;
  const rowCount = Math.min(height - top, tileSize);
  for (let y = 0; y < rowCount; y++) {
    const from = ((top + y) * width + left) * 3;
    tile.set(pixels.subarray(from, from + rowBytes), y * tileSize * 3);
  }
}

import { assert, type ImageGrid } from "@drover/core";
import type { ImageSettings } from "./image-settings.ts";

/** How a picture is cut: its grid, and its size before it is padded at the right and bottom to the grid's canvas. */
export type ImageLayout = Readonly<{ grid: ImageGrid; resized: Readonly<{ height: number; width: number }> }>;

const { fround } = Math;

/**
 * The grid of a picture of `width` x `height` pixels (at least 1 each), and the size it is resized to without distortion.
 * The smallest enlargement wins, else the least reduction; at equal scale the canvas of least area.
 * Source: `get_best_fit` and `get_max_res_without_distortion` of Hugging Face's Llama 4 image processor. Where the reference computes with
 * float32 tensors this does too: in doubles one or two sizes in a hundred differ by a pixel.
 */
export function imageGrid(width: number, height: number, settings: ImageSettings): ImageLayout {
  assert(Number.isInteger(width) && width >= 1 && Number.isInteger(height) && height >= 1, "a picture has pixels");
  const grid = bestGrid(width, height, settings);
  return { grid, resized: resizedSize(width, height, grid, settings.tileSize) };
}

function bestGrid(width: number, height: number, { tileSize, tileCountMax }: ImageSettings): ImageGrid {
  let best: (ImageGrid & { scale: number }) | undefined;
  for (let rows = 1; rows <= tileCountMax; rows++) {
    for (let cols = 1; rows * cols <= tileCountMax; cols++) {
      const scale = Math.min(fround((cols * tileSize) / width), fround((rows * tileSize) / height));
      if (best === undefined || isBetter(scale, rows * cols, best.scale, best.rows * best.cols)) {
        best = { rows, cols, scale };
      }
    }
  }
  assert(best !== undefined, "a setting allows at least one tile");
  return { rows: best.rows, cols: best.cols };
}

/** No two canvases have equal scale and area: the one of the lesser rows and lesser columns would have the scale of both. */
function isBetter(scale: number, area: number, bestScale: number, bestArea: number): boolean {
  if (scale === bestScale) return area < bestArea;
  if (scale >= 1) return bestScale < 1 || scale < bestScale;
  return bestScale < 1 && scale > bestScale;
}

/** A side's target, and how much it scales: in float32 where the canvas, a tensor in the reference, is what limits it. */
type Target = Readonly<{ length: number; ratio: number; isFloat32: boolean }>;

function resizedSize(width: number, height: number, { rows, cols }: ImageGrid, tileSize: number) {
  const vertical = targetOf(height, rows * tileSize, tileSize);
  const horizontal = targetOf(width, cols * tileSize, tileSize);
  return isLess(horizontal, vertical)
    ? { height: followed(height, vertical, horizontal), width: horizontal.length }
    : { height: vertical.length, width: followed(width, horizontal, vertical) };
}

/** A picture smaller than a tile grows to a tile's side, a larger one does not grow. */
function targetOf(side: number, canvas: number, tileSize: number): Target {
  const wanted = Math.max(side, tileSize);
  return wanted > canvas
    ? { length: canvas, ratio: fround(canvas / side), isFloat32: true }
    : { length: wanted, ratio: wanted / side, isFloat32: false };
}

function isLess(left: Target, right: Target): boolean {
  return left.isFloat32 || right.isFloat32 ? fround(left.ratio) < fround(right.ratio) : left.ratio < right.ratio;
}

/** The side that does not take its own target but follows the other one's ratio, rounded down. */
function followed(side: number, own: Target, other: Target): number {
  const length = Math.floor(other.isFloat32 ? fround(side * other.ratio) : side * other.ratio);
  return Math.max(Math.min(length, own.length), 1);
}

import { assert } from "@drover/core";
import type { RgbPicture } from "./rgb-picture.ts";
import { triangleTaps } from "./triangle-taps.ts";

/**
 * Resizes with an antialiased triangle filter: along x, then along y, each pass rounded to whole grey levels.
 * The result equals torchvision's bilinear for uint8 to the bit, and Pillow's to a level. A side that stays is not touched; the same picture
 * may come back.
 */
export function resizeTriangle(picture: RgbPicture, width: number, height: number): RgbPicture {
  assert(width >= 1 && height >= 1, "a picture is resized to at least one pixel");
  const wide = width === picture.width ? picture : resizeRows(picture, width);
  return height === picture.height ? wide : resizeColumns(wide, height);
}

/** Sums are whole numbers of 32 bits: weights of at most 2^22 in all, times 255, and half a level. */
function resizeRows({ width: from, height, pixels }: RgbPicture, width: number): RgbPicture {
  const { firsts, starts, weights, bits } = triangleTaps(from, width);
  const half = 1 << (bits - 1);
  // Weights are rounded one by one, so that their sum may pass 1: the array clamps.
  const out = new Uint8ClampedArray(width * height * 3);
  let outAt = 0;
  for (let y = 0; y < height; y++) {
    const row = y * from * 3;
    for (let x = 0; x < width; x++) {
      let at = row + (firsts[x] ?? 0) * 3;
      let red = half;
      let green = half;
      let blue = half;
      const end = starts[x + 1] ?? 0;
      for (let tap = starts[x] ?? 0; tap < end; tap++) {
        const weight = weights[tap] ?? 0;
        red = (red + Math.imul(pixels[at] ?? 0, weight)) | 0;
        green = (green + Math.imul(pixels[at + 1] ?? 0, weight)) | 0;
        blue = (blue + Math.imul(pixels[at + 2] ?? 0, weight)) | 0;
        at += 3;
      }
      out[outAt] = red >> bits;
      out[outAt + 1] = green >> bits;
      out[outAt + 2] = blue >> bits;
      outAt += 3;
    }
  }
  return { width, height, pixels: new Uint8Array(out.buffer) };
}

/** Whole rows are added up, so that memory is read in its order. */
function resizeColumns({ width, height: from, pixels }: RgbPicture, height: number): RgbPicture {
  const { firsts, starts, weights, bits } = triangleTaps(from, height);
  const half = 1 << (bits - 1);
  const rowLength = width * 3;
  const out = new Uint8ClampedArray(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    let at = (firsts[y] ?? 0) * rowLength;
    const end = starts[y + 1] ?? 0;
    for (let tap = starts[y] ?? 0; tap < end; tap++) {
      const weight = weights[tap] ?? 0;
      for (let i = 0; i < rowLength; i++) sums[i] = ((sums[i] ?? 0) + Math.imul(pixels[at + i] ?? 0, weight)) | 0;
      at += rowLength;
    }
    const outAt = y * rowLength;
    for (let i = 0; i < rowLength; i++) out[outAt + i] = (sums[i] ?? 0) >> bits;
  }
  return { width, height, pixels: new Uint8Array(out.buffer) };
}

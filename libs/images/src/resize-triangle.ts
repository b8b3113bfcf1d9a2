import { assert } from "@drover/core";
import type { RgbPicture } from "./rgb-picture.ts";

/** Weights are whole numbers of 2^-22, as Pillow's: 255 x 2^22 and half a level still fit in 32 bits. */
const WEIGHT_BITS = 22;
const ONE = 1 << WEIGHT_BITS;
const HALF = 1 << (WEIGHT_BITS - 1);

/** For each output sample: its first source sample, and its weights at `starts[i]` up to `starts[i + 1]`, which sum to `ONE`. */
type Taps = Readonly<{ firsts: Int32Array; starts: Int32Array; weights: Int32Array }>;

/**
 * Resizes with an antialiased triangle filter: along x, then along y, each pass rounded to whole grey levels.
 * The filter's half-width is max(scale, 1) source pixels around (i + 0.5) * scale; at the borders its weights are normalised.
 * The result equals Pillow's and torchvision's bilinear to one level. A side that stays is not touched; the same picture may come back.
 */
export function resizeTriangle(picture: RgbPicture, width: number, height: number): RgbPicture {
  assert(width >= 1 && height >= 1, "a picture is resized to at least one pixel");
  const wide = width === picture.width ? picture : resizeRows(picture, width);
  return height === picture.height ? wide : resizeColumns(wide, height);
}

function tapsOf(from: number, to: number): Taps {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const firsts = new Int32Array(to);
  const starts = new Int32Array(to + 1);
  const weights = new Int32Array(to * (Math.ceil(support) * 2 + 1));
  let end = 0;
  for (let index = 0; index < to; index++) {
    const center = (index + 0.5) * scale;
    const first = Math.max(Math.floor(center - support + 0.5), 0);
    const last = Math.min(Math.floor(center + support + 0.5), from);
    firsts[index] = first;
    end = addWeights(weights, end, first, last, center, support);
    starts[index + 1] = end;
  }
  return { firsts, starts, weights };
}

/** The sums are rounded, not the weights, so that a row of equal levels keeps its level however many taps it has. */
function addWeights(weights: Int32Array, start: number, first: number, last: number, center: number, support: number) {
  const heightAt = (sample: number) => Math.max(1 - Math.abs((sample - center + 0.5) / support), 0);
  let total = 0;
  for (let sample = first; sample < last; sample++) total += heightAt(sample);
  let sum = 0;
  let roundedSum = 0;
  let end = start;
  for (let sample = first; sample < last; sample++) {
    sum += heightAt(sample);
    const next = sample === last - 1 ? ONE : Math.round((sum / total) * ONE);
    weights[end++] = next - roundedSum;
    roundedSum = next;
  }
  return end;
}

function resizeRows({ width: from, height, pixels }: RgbPicture, width: number): RgbPicture {
  const { firsts, starts, weights } = tapsOf(from, width);
  const out = new Uint8Array(width * height * 3);
  let outAt = 0;
  for (let y = 0; y < height; y++) {
    const row = y * from * 3;
    for (let x = 0; x < width; x++) {
      let at = row + (firsts[x] ?? 0) * 3;
      let [red, green, blue] = [HALF, HALF, HALF];
      const end = starts[x + 1] ?? 0;
      for (let tap = starts[x] ?? 0; tap < end; tap++, at += 3) {
        const weight = weights[tap] ?? 0;
        red = (red + Math.imul(pixels[at] ?? 0, weight)) | 0;
        green = (green + Math.imul(pixels[at + 1] ?? 0, weight)) | 0;
        blue = (blue + Math.imul(pixels[at + 2] ?? 0, weight)) | 0;
      }
      out[outAt] = red >> WEIGHT_BITS;
      out[outAt + 1] = green >> WEIGHT_BITS;
      out[outAt + 2] = blue >> WEIGHT_BITS;
      outAt += 3;
    }
  }
  return { width, height, pixels: out };
}

/** Whole rows are added up, so that memory is read in its order. */
function resizeColumns({ width, height: from, pixels }: RgbPicture, height: number): RgbPicture {
  const { firsts, starts, weights } = tapsOf(from, height);
  const rowLength = width * 3;
  const out = new Uint8Array(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    let at = (firsts[y] ?? 0) * rowLength;
    const end = starts[y + 1] ?? 0;
    for (let tap = starts[y] ?? 0; tap < end; tap++, at += rowLength) {
      const weight = weights[tap] ?? 0;
      for (let i = 0; i < rowLength; i++) sums[i] = ((sums[i] ?? 0) + Math.imul(pixels[at + i] ?? 0, weight)) | 0;
    }
    const outAt = y * rowLength;
    for (let i = 0; i < rowLength; i++) out[outAt + i] = (sums[i] ?? 0) >> WEIGHT_BITS;
  }
  return { width, height, pixels: out };
}

import { at } from "@drover/core";
import type { KvLayout, KvRows } from "../kv/kv-rows.ts";
import { type Feeds, f32, i8 } from "../session.ts";

/** Of keys or values, per KV head one contiguous [rows, d] view and, of int8, one of the rows' scales. */
type Heads = Readonly<{ rows: ReadonlyArray<Float32Array | Int8Array>; scales: readonly Float32Array[] }>;

/** Keys and values of a run of positions. Good until extents change. */
export type HeadViews = Readonly<{ k: Heads; v: Heads; rowCount: number }>;

/** Rows [firstRow, firstRow + rowCount) of keys and values with room for `capacity`. */
export function headViews(
  layout: KvLayout,
  { k, v }: Readonly<{ k: KvRows; v: KvRows }>,
  capacity: number,
  firstRow: number,
  rowCount: number,
): HeadViews {
  return { k: cut(layout, k, capacity, firstRow, rowCount), v: cut(layout, v, capacity, firstRow, rowCount), rowCount };
}

function cut(
  { kvHeadCount, headDim }: KvLayout,
  { rows, scales }: KvRows,
  capacity: number,
  firstRow: number,
  rowCount: number,
): Heads {
  const views: (Float32Array | Int8Array)[] = [];
  const cutScales: Float32Array[] = [];
  for (let head = 0; head < kvHeadCount; head++) {
    const start = head * capacity + firstRow;
    views.push(rows.subarray(start * headDim, (start + rowCount) * headDim));
    if (scales !== undefined) cutScales.push(scales.subarray(start, start + rowCount));
  }
  return { rows: views, scales: cutScales };
}

/** What an attention graph calls the inputs of one run, by KV head. */
export type HeadNames = Readonly<Record<"k" | "v" | "kScales" | "vScales", readonly string[]>>;

/** Made once: a step of many sequences has some thousand inputs. `prefix`: what stands behind the letter. */
export function headNames(kvHeadCount: number, prefix = ""): HeadNames {
  const names = (letters: string) => Array.from({ length: kvHeadCount }, (_, head) => `${letters}${prefix}${head}`);
  return { k: names("k"), v: names("v"), kScales: names("ks"), vScales: names("vs") };
}

/** Adds a run to the inputs of an attention graph. */
export function feedHeads(feeds: Feeds, { k, v, rowCount }: HeadViews, names: HeadNames, headDim: number): void {
  const dims = [rowCount, headDim] as const;
  feedRows(feeds, k, names.k, names.kScales, dims);
  feedRows(feeds, v, names.v, names.vScales, dims);
}

function feedRows(
  feeds: Feeds,
  { rows, scales }: Heads,
  names: readonly string[],
  scaleNames: readonly string[],
  dims: readonly [number, number],
): void {
  for (let head = 0; head < rows.length; head++) {
    const view = at(rows, head);
    feeds[at(names, head)] = view instanceof Float32Array ? f32(view, dims) : i8(view, dims);
  }
  for (let head = 0; head < scales.length; head++) feeds[at(scaleNames, head)] = f32(at(scales, head), [dims[0]]);
}

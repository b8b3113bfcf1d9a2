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

/** Adds a run to the inputs of an attention graph, whose names begin with `prefix` behind their letter. */
export function feedHeads(feeds: Feeds, { k, v, rowCount }: HeadViews, prefix: string, headDim: number): void {
  feedRows(feeds, k, "k", prefix, [rowCount, headDim]);
  feedRows(feeds, v, "v", prefix, [rowCount, headDim]);
}

function feedRows(
  feeds: Feeds,
  { rows, scales }: Heads,
  name: "k" | "v",
  prefix: string,
  dims: readonly [number, number],
): void {
  for (const [head, view] of rows.entries())
    feeds[`${name}${prefix}${head}`] = view instanceof Float32Array ? f32(view, dims) : i8(view, dims);
  for (const [head, scale] of scales.entries()) feeds[`${name}s${prefix}${head}`] = f32(scale, [dims[0]]);
}

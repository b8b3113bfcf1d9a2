import type { KvLayout, KvRows } from "./kv-rows.ts";
import { type Feeds, f32, i8 } from "./session.ts";

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
  const { kvHeadCount, headDim } = layout;
  const cut = ({ rows, scales }: KvRows): Heads => {
    const views: (Float32Array | Int8Array)[] = [];
    const cutScales: Float32Array[] = [];
    for (let head = 0; head < kvHeadCount; head++) {
      const start = head * capacity + firstRow;
      views.push(rows.subarray(start * headDim, (start + rowCount) * headDim));
      if (scales !== undefined) cutScales.push(scales.subarray(start, start + rowCount));
    }
    return { rows: views, scales: cutScales };
  };
  return { k: cut(k), v: cut(v), rowCount };
}

/** Adds a run to the inputs of an attention graph, whose names begin with `prefix` behind their letter. */
export function feedHeads(feeds: Feeds, { k, v, rowCount }: HeadViews, prefix: string, headDim: number): void {
  const dims = [rowCount, headDim];
  for (const [name, { rows, scales }] of [
    ["k", k],
    ["v", v],
  ] as const) {
    for (let head = 0; head < rows.length; head++) {
      const view = rows[head];
      if (view instanceof Float32Array) feeds[`${name}${prefix}${head}`] = f32(view, dims);
      else if (view !== undefined) feeds[`${name}${prefix}${head}`] = i8(view, dims);
    }
    for (let head = 0; head < scales.length; head++)
      feeds[`${name}s${prefix}${head}`] = f32(scales[head] ?? NONE, [rowCount]);
  }
}

const NONE = new Float32Array(0);

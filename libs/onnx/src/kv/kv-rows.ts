import type { HostKvDtype } from "@drover/core";
import { kvHeadBytes } from "@drover/kv";

/** `kvDtype`: what rows are kept as. */
export type KvShape = Readonly<{ kvHeadCount: number; headDim: number; kvDtype: HostKvDtype }>;

/**
 * Keys or values of one layer in one buffer: rows [K, capacity, d], so that a run of rows is fed without a copy. Of int8 each row and head has a scale,
 * [K, capacity], at the buffer's beginning; value = row * scale.
 */
export type KvRows = Readonly<{ bytes: Uint8Array; rows: Float32Array | Int8Array; scales: Float32Array | undefined }>;

/** The largest int8 that is used: with -128 the range would not be symmetric. */
const INT8_MAX = 127;

/** How keys and values are laid out and rounded. */
export class KvLayout {
  readonly dtype: HostKvDtype;
  readonly kvHeadCount: number;
  readonly headDim: number;
  /** Bytes of one row's keys in one layer. */
  readonly rowBytes: number;

  constructor({ kvHeadCount, headDim, kvDtype }: KvShape) {
    this.dtype = kvDtype;
    this.kvHeadCount = kvHeadCount;
    this.headDim = headDim;
    this.rowBytes = kvHeadCount * kvHeadBytes(kvDtype, headDim);
  }

  allocate(capacity: number): KvRows {
    return this.over(new Uint8Array(capacity * this.rowBytes), capacity);
  }

  /** Reads a buffer as `capacity` rows; its place in memory is a multiple of 4. */
  over(bytes: Uint8Array, capacity: number): KvRows {
    const { buffer, byteOffset } = bytes;
    const rowCount = capacity * this.kvHeadCount;
    if (this.dtype === "f32")
      return { bytes, rows: new Float32Array(buffer, byteOffset, rowCount * this.headDim), scales: undefined };
    const scales = new Float32Array(buffer, byteOffset, rowCount);
    return { bytes, rows: new Int8Array(buffer, byteOffset + scales.byteLength, rowCount * this.headDim), scales };
  }

  /** Writes d floats of `source` from `from` on as row `row`, counted over all heads. */
  write({ rows, scales }: KvRows, row: number, source: Float32Array, from: number): void {
    const { headDim } = this;
    // A head has so few floats that a view of them takes longer to make than they take to copy.
    if (scales === undefined)
      for (let i = 0, to = row * headDim; i < headDim; i++) rows[to + i] = source[from + i] ?? 0;
    else scales[row] = quantizeRow(source, from, headDim, rows, row * headDim);
  }

  copy(from: KvRows, fromRow: number, to: KvRows, toRow: number, rowCount: number): void {
    const { headDim } = this;
    to.rows.set(from.rows.subarray(fromRow * headDim, (fromRow + rowCount) * headDim), toRow * headDim);
    if (from.scales !== undefined) to.scales?.set(from.scales.subarray(fromRow, fromRow + rowCount), toRow);
  }
}

/** Rounds a row to the nearest of 255 steps over its largest magnitude; returns the step. A row of zeros has step 0. */
function quantizeRow(
  source: Float32Array,
  from: number,
  length: number,
  target: Float32Array | Int8Array,
  at: number,
): number {
  let peak = 0;
  for (let i = from; i < from + length; i++) peak = Math.max(peak, Math.abs(source[i] ?? 0));
  const scale = Math.fround(peak / INT8_MAX);
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < length; i++) target[at + i] = Math.round((source[from + i] ?? 0) * inverse);
  return scale;
}

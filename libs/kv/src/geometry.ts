import { assert, type KvDtype } from "@drover/core";
import { BUFFER_BLOCK_ROWS, SEGMENT_ROWS_MIN } from "./limits.ts";

/** Llama 4's two kinds of layers: global ones see everything, local ones their chunk. */
export type KvKind = "global" | "local";
export const KV_KINDS = ["global", "local"] as const satisfies readonly KvKind[];

/**
 * How a model's KV cache is laid out. Llama 4 has two kinds of layers: global ones keep every token, local ones (also
 * called chunked) only the tokens since the last multiple of `chunkRows`, a chunk's border. Rows live in segments aligned to their size; a segment's buffer
 * grows by blocks up to the whole segment.
 */
export type KvGeometry = Readonly<{
  /** One entry a layer: whether it is global. */
  isGlobalLayer: readonly boolean[];
  /** `attention_chunk_size`: the segment of chunked layers. */
  chunkRows: number;
  /** The segment of global layers: a multiple of chunkRows, so that it can be striped and moved whole. */
  segmentRows: number;
  /** Buffers grow by this many rows. */
  blockRows: number;
  /** Bytes of one row of one layer, keys and values of all KV heads together. */
  rowBytes: number;
}>;

/** Bytes of one row's keys, or values, of one KV head. */
export function kvHeadBytes(format: KvDtype, headDim: number): number {
  if (format === "int8") return headDim + SCALE_BYTES;
  return headDim * ELEMENT_BYTES[format];
}

const ELEMENT_BYTES = { f32: 4, bf16: 2, f16: 2 } as const;
/** An int8 row's scale is f32. */
const SCALE_BYTES = 4;

/**
 * Builds the geometry from config.json's numbers. A global segment is the least multiple of the chunk that is 1,024
 * rows or more.
 */
export function kvGeometry(
  config: Readonly<{ isGlobalLayer: readonly boolean[]; chunkSize: number; kvHeadCount: number; headDim: number }>,
  format: KvDtype,
): KvGeometry {
  return {
    isGlobalLayer: config.isGlobalLayer,
    chunkRows: config.chunkSize,
    segmentRows: config.chunkSize * Math.ceil(SEGMENT_ROWS_MIN / config.chunkSize),
    blockRows: Math.min(BUFFER_BLOCK_ROWS, config.chunkSize),
    rowBytes: 2 * config.kvHeadCount * kvHeadBytes(format, config.headDim),
  };
}

/** Layers of each kind, by the list that says it of each layer: it is asked for some times a step and sequence. */
const layerCounts = new WeakMap<readonly boolean[], Readonly<Record<KvKind, number>>>();

/** Layers of a kind. */
export function layerCountOf({ isGlobalLayer }: Pick<KvGeometry, "isGlobalLayer">, kind: KvKind): number {
  const known = layerCounts.get(isGlobalLayer);
  if (known !== undefined) return known[kind];
  const global = isGlobalLayer.filter(Boolean).length;
  const counts = { global, local: isGlobalLayer.length - global };
  layerCounts.set(isGlobalLayer, counts);
  return counts[kind];
}

/** Bytes of one row in all layers of a kind. */
export function rowBytesOf(geometry: KvGeometry, kind: KvKind): number {
  return layerCountOf(geometry, kind) * geometry.rowBytes;
}

/** Rows of a segment of one kind of layer. */
export function segmentRowsOf(geometry: KvGeometry, isGlobal: boolean): number {
  return isGlobal ? geometry.segmentRows : geometry.chunkRows;
}

/** Rows that a segment's buffer has when `rowCount` of them are used: whole blocks, at most the segment. */
function segmentCapacity(geometry: KvGeometry, isGlobal: boolean, rowCount: number): number {
  const whole = segmentRowsOf(geometry, isGlobal);
  assert(rowCount > 0 && rowCount <= whole, "a segment holds between one row and its size");
  return Math.min(whole, Math.ceil(rowCount / geometry.blockRows) * geometry.blockRows);
}

/**
 * Bytes allocated for one sequence while rows [from, to) are appended to `from` committed ones (`from === to`: at
 * rest). Chunked layers hold from the chunk of the last boundary at or before `from`; after the commit they drop what
 * lies before the boundary of `to`.
 */
export function kvBytes(geometry: KvGeometry, from: number, to: number): number {
  const globalRows = layerCountOf(geometry, "global") * allocatedRows(geometry, true, 0, to);
  const localRows = layerCountOf(geometry, "local") * allocatedRows(geometry, false, firstLocalRow(geometry, from), to);
  return (globalRows + localRows) * geometry.rowBytes;
}

/** The first row that chunked layers still hold when `length` rows are committed. */
function firstLocalRow(geometry: KvGeometry, length: number): number {
  return Math.floor(length / geometry.chunkRows) * geometry.chunkRows;
}

function allocatedRows(geometry: KvGeometry, isGlobal: boolean, first: number, end: number): number {
  if (end <= first) return 0;
  const whole = segmentRowsOf(geometry, isGlobal);
  const fullSegments = Math.floor((end - first) / whole);
  const tail = end - first - fullSegments * whole;
  return fullSegments * whole + (tail === 0 ? 0 : segmentCapacity(geometry, isGlobal, tail));
}

/** Most bytes that a sequence ever has on its way to `length` rows when a step appends at most `stepRows`. */
export function kvBytesPeak(geometry: KvGeometry, length: number, stepRows: number): number {
  // The peak lies in one of the last steps: the one that ends at `length`, or the one that crosses the last chunk
  // boundary.
  const last = kvBytes(geometry, Math.max(0, length - stepRows), length);
  const boundary = firstLocalRow(geometry, length);
  const before = Math.min(length, boundary + stepRows - 1);
  return Math.max(
    last,
    kvBytes(geometry, Math.max(0, boundary - 1), Math.max(before, boundary)),
    kvBytes(geometry, length, length),
  );
}

/** The longest sequence whose peak fits `bytesMax`. */
export function contextTokensMax(geometry: KvGeometry, bytesMax: number, stepRows: number): number {
  let low = 0;
  let high = 2 ** 31;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (kvBytesPeak(geometry, middle, stepRows) <= bytesMax) low = middle;
    else high = middle - 1;
  }
  return low;
}

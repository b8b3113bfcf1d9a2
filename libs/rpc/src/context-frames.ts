import { create } from "@bufbuild/protobuf";
import {
  type AttendCall,
  assert,
  type ContextStorage,
  DroverError,
  type SegmentRows,
  type StripeQuery,
} from "@drover/core";
import { type PutRows, PutRowsSchema } from "@drover/proto";
import { FRAME_BYTES_MAX } from "./limits.ts";

/** A segment as frames: layer by layer, keys and then values. The frames' bytes are views. */
export function* putFrames(segmentRows: SegmentRows): Generator<PutRows> {
  const { sequenceId, segment, rowCount, dtype, layers } = segmentRows;
  const named = { sequenceId, segment, rowCount, dtype, prefix: prefixBytes(segmentRows.prefix ?? "") };
  for (const [layer, { k, v }] of layers.entries()) {
    for (const [values, bytes] of [
      [false, k],
      [true, v],
    ] as const) {
      for (let offset = 0; offset < bytes.length; offset += FRAME_BYTES_MAX) {
        const rows = bytes.subarray(offset, offset + FRAME_BYTES_MAX);
        yield create(PutRowsSchema, { ...named, layer, values, offset, rows });
      }
    }
  }
}

/** A prefix's name as it travels, and as it is the key of maps: a character for each byte. */
export const prefixBytes = (prefix: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(prefix, "latin1"));
export const prefixOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** How a holder keeps rows. */
type KeptRows = Pick<ContextStorage, "dtype" | "layerCount" | "rowBytes">;

/** Puts a segment together from its frames, in whatever order they come. */
export class SegmentAssembly {
  readonly byteCount: number;
  readonly #rows: SegmentRows;
  #missingBytes: number;

  /** For rows of the type and size that are kept here. Errors: `invalid_argument` for rows of another type. */
  constructor({ sequenceId, segment, rowCount, dtype }: PutRows, kept: KeptRows) {
    if (dtype !== kept.dtype)
      throw new DroverError("invalid_argument", `the rows are ${dtype}, and are kept here as ${kept.dtype}`);
    const bytes = rowCount * kept.rowBytes;
    const layers = Array.from({ length: kept.layerCount }, () => ({
      k: new Uint8Array(bytes),
      v: new Uint8Array(bytes),
    }));
    this.#rows = { sequenceId, segment, rowCount, dtype: kept.dtype, layers };
    this.byteCount = 2 * kept.layerCount * bytes;
    this.#missingBytes = this.byteCount;
  }

  /** Adds a frame; returns the segment once it is whole. Errors: `invalid_argument` for a frame outside the segment. */
  add({ layer, values, offset, rows, rowCount }: PutRows): SegmentRows | undefined {
    const target = this.#rows.layers[layer]?.[values ? "v" : "k"];
    if (target === undefined || rowCount !== this.#rows.rowCount || offset + rows.length > target.byteLength)
      throw new DroverError("invalid_argument", "a frame lies outside its segment");
    target.set(rows, offset);
    this.#missingBytes -= rows.length;
    return this.#missingBytes === 0 ? this.#rows : undefined;
  }
}

/** Rows [from, to) of a call, and whose they are. */
export type AttendFrame = Readonly<{ from: number; to: number; queries: readonly StripeQuery[] }>;

/** Cuts a call's rows into frames of at most FRAME_BYTES_MAX. */
export function attendFrames({ queries, q_aQ }: AttendCall): AttendFrame[] {
  const rowCount = queries.reduce((sum, query) => sum + query.rowCount, 0);
  assert(rowCount > 0, "a call has rows");
  const rowsMax = Math.max(1, Math.floor(FRAME_BYTES_MAX / (q_aQ.byteLength / rowCount)));
  const frames: AttendFrame[] = [];
  let current: StripeQuery[] = [];
  let from = 0;
  let to = 0;
  for (const query of queries) {
    for (let left = query.rowCount; left > 0; ) {
      const count = Math.min(left, rowsMax - (to - from));
      current.push({ ...query, rowCount: count });
      to += count;
      left -= count;
      if (to - from < rowsMax && to < rowCount) continue;
      frames.push({ from, to, queries: current });
      current = [];
      from = to;
    }
  }
  return frames;
}

import {
  type AttendCall,
  type AttendedPart,
  at,
  type ContextStorage,
  DroverError,
  type HostKvDtype,
  type SegmentName,
  type SegmentRows,
  type StripeQuery,
} from "@drover/core";
import { type KvGeometry, layerCountOf } from "@drover/kv";
import type { GraphDims } from "@drover/llama4";
import { askedSegments } from "@drover/sequences";
import { Attention } from "../attention/attention.ts";
import { type HeadViews, headViews } from "../attention/head-views.ts";
import type { SessionOptions } from "../session.ts";
import { KvLayout } from "./kv-rows.ts";

/** A stored segment, and its views by layer. */
type Stored = Readonly<{ rows: SegmentRows; views: readonly HeadViews[]; byteCount: number }>;

export type ContextStoreOptions = SessionOptions &
  Readonly<{ bytesMax: number /** Default f32. */; kvDtype?: HostKvDtype }>;

/** Segments of global layers that other workers gave away. Whole or not at all; the order in which they come does not matter. */
export class ContextStore implements ContextStorage, Disposable {
  readonly bytesMax: number;
  readonly #dims: GraphDims;
  readonly layerCount: number;
  readonly #layout: KvLayout;
  readonly #attention: Attention;
  readonly #sequences = new Map<string, Map<number, Stored>>();
  #byteCount = 0;

  constructor(dims: GraphDims, geometry: KvGeometry, options: ContextStoreOptions) {
    this.bytesMax = options.bytesMax;
    this.#dims = dims;
    this.layerCount = layerCountOf(geometry, "global");
    const kvDtype = options.kvDtype ?? "f32";
    this.#layout = new KvLayout({ ...dims, kvDtype });
    this.#attention = new Attention(dims, kvDtype, options);
  }

  /** Bytes of all that is held. */
  get byteCount(): number {
    return this.#byteCount;
  }

  get bytesFree(): number {
    return this.bytesMax - this.#byteCount;
  }

  get segmentCount(): number {
    return [...this.#sequences.values()].reduce((sum, segments) => sum + segments.size, 0);
  }

  get dtype(): HostKvDtype {
    return this.#layout.dtype;
  }

  get rowBytes(): number {
    return this.#layout.rowBytes;
  }

  put(rows: SegmentRows): void {
    if (rows.dtype !== this.dtype)
      throw new DroverError("invalid_argument", `the rows are ${rows.dtype}, and are kept here as ${this.dtype}`);
    const { rowCount } = rows;
    const bytes = rowCount * this.rowBytes;
    const fits = rows.layers.every(({ k, v }) => k.length === bytes && v.length === bytes);
    if (!fits || rows.layers.length !== this.layerCount || rowCount === 0)
      throw new DroverError("invalid_argument", "a segment has keys and values of every global layer");
    const segments = this.#sequences.get(rows.sequenceId) ?? new Map<number, Stored>();
    const byteCount = 2 * this.layerCount * bytes;
    const before = segments.get(rows.segment)?.byteCount ?? 0;
    if (byteCount - before > this.bytesFree) throw new DroverError("overloaded", "the context worker's KV is full");
    const views = rows.layers.map(({ k, v }) => {
      const layer = { k: this.#layout.over(k, rowCount), v: this.#layout.over(v, rowCount) };
      return headViews(this.#layout, layer, rowCount, 0, rowCount);
    });
    segments.set(rows.segment, { rows, views, byteCount });
    this.#sequences.set(rows.sequenceId, segments);
    this.#byteCount += byteCount - before;
  }

  attend({ layer, queries, q_aQ }: AttendCall): AttendedPart {
    const { headCount, headDim } = this.#dims;
    const rowCount = queries.reduce((sum, query) => sum + query.rowCount, 0);
    const width = headCount * headDim;
    if (layer >= this.layerCount || q_aQ.length !== rowCount * width)
      throw new DroverError("invalid_argument", "queries have the model's layers and width");
    const attended_aQ = new Float32Array(q_aQ.length);
    const lse_aH = new Float32Array(rowCount * headCount);
    let offset = 0;
    for (const query of queries) {
      const q = q_aQ.subarray(offset * width, (offset + query.rowCount) * width);
      const part = this.#attention.attendBefore(q, query.rowCount, this.#runs(query, layer));
      attended_aQ.set(part.attended_aQ, offset * width);
      lse_aH.set(part.lse_aH, offset * headCount);
      offset += query.rowCount;
    }
    return { attended_aQ, lse_aH };
  }

  drop(sequenceId: string): void {
    for (const { byteCount } of this.#sequences.get(sequenceId)?.values() ?? []) this.#byteCount -= byteCount;
    this.#sequences.delete(sequenceId);
  }

  dropSegment(sequenceId: string, segment: number): void {
    this.#byteCount -= this.#sequences.get(sequenceId)?.get(segment)?.byteCount ?? 0;
    this.#remove({ sequenceId, segment });
  }

  rename(from: SegmentName, to: SegmentName): void {
    const found = this.#sequences.get(from.sequenceId)?.get(from.segment);
    if (found === undefined) return;
    this.#remove(from);
    const segments = this.#sequences.get(to.sequenceId) ?? new Map<number, Stored>();
    this.#sequences.set(to.sequenceId, segments.set(to.segment, found));
  }

  get(sequenceId: string, segment: number): SegmentRows | undefined {
    return this.#sequences.get(sequenceId)?.get(segment)?.rows;
  }

  #remove({ sequenceId, segment }: SegmentName): void {
    const segments = this.#sequences.get(sequenceId);
    segments?.delete(segment);
    if (segments?.size === 0) this.#sequences.delete(sequenceId);
  }

  #runs(query: StripeQuery, layer: number): HeadViews[] {
    const asked = askedSegments(this.#sequences.get(query.sequenceId), query);
    if (asked === undefined) throw new DroverError("not_found", "segments of this sequence are not held here");
    return asked.map(({ views }) => at(views, layer));
  }

  [Symbol.dispose](): void {
    this.#attention[Symbol.dispose]();
  }
}

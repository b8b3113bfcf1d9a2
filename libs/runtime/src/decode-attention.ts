import { decodeAttentionGraph, type GraphDims } from "@drover/graph";
import type { HeadViews } from "./kv-storage.ts";
import { type Feeds, f32, f32Of, Session, type SessionOptions } from "./session.ts";
import type { StepPart } from "./step-layout.ts";

/** Sequences in one run, largest first; what is left over runs by itself. */
const BATCH_SIZES = [32, 16, 8, 4] as const;

/** A sequence that decodes one row over one contiguous view: where its row stands in the step, and what it attends to. */
export type DecodeRow = Readonly<{ part: StepPart; row: number; views: HeadViews }>;

/** Attention of many decoding sequences at once. */
export class DecodeAttention implements Disposable {
  readonly #dims: GraphDims;
  readonly #options: SessionOptions;
  readonly #sessions = new Map<number, Session>();

  constructor(dims: GraphDims, options: SessionOptions) {
    this.#dims = dims;
    this.#options = options;
  }

  /** Writes the rows' results into attended_aH and returns the rows that were too few for a batch. */
  attend(rows: readonly DecodeRow[], q_aH: Float32Array, attended_aH: Float32Array): readonly DecodeRow[] {
    let done = 0;
    for (const size of BATCH_SIZES) {
      while (rows.length - done >= size) {
        this.#run(rows.slice(done, done + size), q_aH, attended_aH);
        done += size;
      }
    }
    return rows.slice(done);
  }

  #run(rows: readonly DecodeRow[], q_aH: Float32Array, attended_aH: Float32Array): void {
    const width = this.#dims.headCount * this.#dims.headDim;
    const q = new Float32Array(rows.length * width);
    const feeds: Feeds = { q: f32(q, [rows.length, width]) };
    for (const [i, { row, views }] of rows.entries()) {
      q.set(q_aH.subarray(row * width, (row + 1) * width), i * width);
      const dims = [views.rowCount, this.#dims.headDim];
      for (const [head, k] of views.k.entries()) feeds[`k${i}.${head}`] = f32(k, dims);
      for (const [head, v] of views.v.entries()) feeds[`v${i}.${head}`] = f32(v, dims);
    }
    const out = f32Of(this.#session(rows.length).run(feeds), "attended");
    for (const [i, { row }] of rows.entries()) attended_aH.set(out.subarray(i * width, (i + 1) * width), row * width);
  }

  #session(size: number): Session {
    const known = this.#sessions.get(size);
    if (known !== undefined) return known;
    const made = new Session(
      `attention of ${size}`,
      decodeAttentionGraph(this.#dims, size),
      ["attended"],
      this.#options,
    );
    this.#sessions.set(size, made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session[Symbol.dispose]();
  }
}

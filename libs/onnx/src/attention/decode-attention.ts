import { at, type HostKvDtype } from "@drover/core";
import type { GraphDims } from "@drover/llama4";
import { mergePartials } from "@drover/sequences";
import { decodeAttentionGraph } from "../graphs/attention.ts";
import { type Feeds, f32, f32Of, Session, type SessionOptions } from "../session.ts";
import type { Attention } from "./attention.ts";
import { feedHeads, type HeadNames, type HeadViews, headNames } from "./head-views.ts";

/** Pairs of a row and a run in one session run, largest first; what is left over runs by itself. */
const BATCH_SIZES = [32, 16, 8, 4] as const;

/** A sequence that decodes one row: where the row stands in the step, and the runs that it attends to. */
export type DecodeRow = Readonly<{ row: number; runs: readonly [HeadViews, ...HeadViews[]] }>;

type Pair = Readonly<{ row: number; views: HeadViews }>;

/** Attention of many decoding sequences at once. */
export class DecodeAttention implements Disposable {
  readonly #dims: GraphDims;
  readonly #kv: HostKvDtype;
  readonly #attention: Pick<Attention, "attendRuns">;
  readonly #options: SessionOptions;
  /** By the pair's place in its batch. */
  readonly #names: readonly HeadNames[];
  readonly #sessions = new Map<string, Session>();

  /** `attention` takes what is too little for a batch. */
  constructor(dims: GraphDims, kv: HostKvDtype, attention: Pick<Attention, "attendRuns">, options: SessionOptions) {
    this.#dims = dims;
    this.#kv = kv;
    this.#attention = attention;
    this.#options = options;
    this.#names = Array.from({ length: BATCH_SIZES[0] }, (_, i) => headNames(dims.kvHeadCount, `${i}.`));
  }

  /** Attends and writes the rows' results into attended_aQ. Rows with one run and rows with several, whose parts are merged, go in batches of their own. */
  attend(rows: readonly DecodeRow[], q_aQ: Float32Array, attended_aQ: Float32Array): void {
    const single = rows.flatMap(({ row, runs }) => (runs.length === 1 ? [{ row, views: runs[0] }] : []));
    const left = this.#batches(single, false, q_aQ, (pair, out) => attended_aQ.set(out, pair.row * this.#width));
    for (const { row, views } of left) this.#alone(row, [views], q_aQ, attended_aQ);
    this.#merged(
      rows.filter(({ runs }) => runs.length > 1),
      q_aQ,
      attended_aQ,
    );
  }

  get #width(): number {
    return this.#dims.headCount * this.#dims.headDim;
  }

  #merged(rows: readonly DecodeRow[], q_aQ: Float32Array, attended_aQ: Float32Array): void {
    const pairCount = rows.reduce((sum, { runs }) => sum + runs.length, 0);
    if (pairCount < (BATCH_SIZES.at(-1) ?? 0)) {
      for (const { row, runs } of rows) this.#alone(row, runs, q_aQ, attended_aQ);
      return;
    }
    const pairs = rows.flatMap(({ row, runs }) => runs.map((views) => ({ row, views })));
    const sums = new Map<number, { attended: Float32Array; lse: Float32Array }>();
    const take = ({ row }: Pair, attended: Float32Array, lse: Float32Array) => {
      const sum = sums.get(row);
      if (sum === undefined) sums.set(row, { attended: attended.slice(), lse: lse.slice() });
      else mergePartials(sum.attended, sum.lse, attended, lse, this.#dims.headDim);
    };
    // The last few are run again with others before them: merging a part once is what counts.
    const left = this.#batches(pairs, true, q_aQ, take);
    if (left.length > 0) {
      const filler = pairs.slice(0, (BATCH_SIZES.at(-1) ?? 0) - left.length);
      this.#run([...left, ...filler], true, q_aQ, (pair, attended, lse) => {
        if (left.includes(pair)) take(pair, attended, lse);
      });
    }
    for (const [row, { attended }] of sums) attended_aQ.set(attended, row * this.#width);
  }

  #alone(row: number, runs: readonly [HeadViews, ...HeadViews[]], q_aQ: Float32Array, attended_aQ: Float32Array): void {
    const q = q_aQ.subarray(row * this.#width, (row + 1) * this.#width);
    attended_aQ.set(this.#attention.attendRuns(q, 1, runs), row * this.#width);
  }

  /** Runs as many pairs as fill batches; returns the rest. */
  #batches(
    pairs: readonly Pair[],
    partial: boolean,
    q_aQ: Float32Array,
    take: (pair: Pair, attended: Float32Array, lse: Float32Array) => void,
  ): readonly Pair[] {
    let done = 0;
    for (const size of BATCH_SIZES) {
      while (pairs.length - done >= size) {
        this.#run(pairs.slice(done, done + size), partial, q_aQ, take);
        done += size;
      }
    }
    return pairs.slice(done);
  }

  #run(
    pairs: readonly Pair[],
    partial: boolean,
    q_aQ: Float32Array,
    take: (pair: Pair, attended: Float32Array, lse: Float32Array) => void,
  ): void {
    const width = this.#width;
    const { headCount, headDim } = this.#dims;
    const q = new Float32Array(pairs.length * width);
    const feeds: Feeds = { q: f32(q, [pairs.length, width]) };
    for (const [i, { row, views }] of pairs.entries()) {
      q.set(q_aQ.subarray(row * width, (row + 1) * width), i * width);
      feedHeads(feeds, views, at(this.#names, i), headDim);
    }
    const out = this.#session(pairs.length, partial).run(feeds);
    const attended = f32Of(out, "attended");
    const lse = partial ? f32Of(out, "lse") : NO_SUMS;
    for (const [i, pair] of pairs.entries())
      take(pair, attended.subarray(i * width, (i + 1) * width), lse.subarray(i * headCount, (i + 1) * headCount));
  }

  #session(size: number, partial: boolean): Session {
    const key = `${size} ${partial}`;
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const made = new Session(
      `attention of ${size}`,
      decodeAttentionGraph(this.#dims, size, partial, this.#kv),
      partial ? ["attended", "lse"] : ["attended"],
      this.#options,
    );
    this.#sessions.set(key, made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session[Symbol.dispose]();
  }
}

const NO_SUMS = new Float32Array(0);

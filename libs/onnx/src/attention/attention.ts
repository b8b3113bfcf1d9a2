import { type AttendedPart, assert, type HostKvDtype } from "@drover/core";
import type { GraphDims } from "@drover/llama4";
import { mergePartials } from "@drover/sequences";
import { attentionGraph } from "../graphs/attention.ts";
import { MASKS_MAX } from "../limits.ts";
import { type Feeds, f32, f32Of, Session, type SessionOptions } from "../session.ts";
import { feedHeads, type HeadNames, type HeadViews, headNames } from "./head-views.ts";
import type { SequenceRows } from "./sequence-rows.ts";

type Part = Readonly<{ attended: Float32Array; lse: Float32Array }>;

/** Attention of new rows over a sequence's stored rows, run by run, merged exactly by log-sum-exp. */
export class Attention implements Disposable {
  readonly #dims: GraphDims;
  readonly #names: HeadNames;
  readonly #whole: Session;
  readonly #wholeMasked: Session;
  readonly #partial: Session;
  readonly #partialMasked: Session;
  readonly #masks = new Map<string, Float32Array>();

  constructor(dims: GraphDims, kv: HostKvDtype, options: SessionOptions) {
    this.#dims = dims;
    this.#names = headNames(dims.kvHeadCount);
    const session = (masked: boolean, partial: boolean) =>
      new Session(
        "attention",
        attentionGraph(dims, { masked, partial, kv }),
        partial ? ["attended", "lse"] : ["attended"],
        options,
      );
    this.#whole = session(false, false);
    this.#wholeMasked = session(true, false);
    this.#partial = session(false, true);
    this.#partialMasked = session(true, true);
  }

  /**
   * Rows [offset, offset + rowCount) of q_aQ attend to what their sequence holds itself in `layer`, causally, and are written to attended_aQ. Given
   * lse_aH, the log-sum-exp of every row and head is written there, so that what others hold can be merged.
   */
  attend(
    rows: SequenceRows,
    layer: number,
    q_aQ: Float32Array,
    attended_aQ: Float32Array,
    offset: number,
    rowCount: number,
    lse_aH?: Float32Array,
  ): void {
    const { headCount, headDim } = this.#dims;
    const width = headCount * headDim;
    for (let done = 0; done < rowCount; ) {
      const position = rows.first + done;
      const count = Math.min(rowCount - done, rows.runEnd(layer, position) - position);
      const row = offset + done;
      const q = q_aQ.subarray(row * width, (row + count) * width);
      const part = this.#attendRuns(q, count, rows.runsAt(layer, position, position + count), lse_aH !== undefined);
      attended_aQ.set(part.attended, row * width);
      lse_aH?.set(part.lse, row * headCount);
      done += count;
    }
  }

  /** `count` queries over runs: they are the last rows of the first one, and see all of the others. Returns [count, Q]. */
  attendRuns(q: Float32Array, count: number, runs: readonly [HeadViews, ...HeadViews[]]): Float32Array {
    return this.#attendRuns(q, count, runs, false).attended;
  }

  #attendRuns(
    q: Float32Array,
    count: number,
    [own, ...before]: readonly [HeadViews, ...HeadViews[]],
    partial: boolean,
  ): Part {
    const merged = this.#run(q, count, own, partial || before.length > 0);
    this.#mergeRuns(merged, q, count, before);
    return merged;
  }

  /** `count` queries over runs that come before all of them: [count, Q] and the log-sum-exp [count, H]. */
  attendBefore(q: Float32Array, count: number, runs: readonly HeadViews[]): AttendedPart {
    const [first, ...others] = runs;
    assert(first !== undefined, "there is something to attend to");
    const out = this.#partial.run(this.#feeds(q, count, first));
    const merged = { attended: f32Of(out, "attended"), lse: f32Of(out, "lse") };
    this.#mergeRuns(merged, q, count, others);
    return { attended_aQ: merged.attended, lse_aH: merged.lse };
  }

  #mergeRuns(merged: Part, q: Float32Array, count: number, runs: readonly HeadViews[]): void {
    for (const views of runs) {
      const part = this.#partial.run(this.#feeds(q, count, views));
      mergePartials(merged.attended, merged.lse, f32Of(part, "attended"), f32Of(part, "lse"), this.#dims.headDim);
    }
  }

  #run(q: Float32Array, count: number, views: HeadViews, partial: boolean): Part {
    const feeds = this.#feeds(q, count, views);
    if (count > 1) feeds.mask = f32(this.#mask(count, views.rowCount), [count, views.rowCount]);
    const session = partial
      ? count > 1
        ? this.#partialMasked
        : this.#partial
      : count > 1
        ? this.#wholeMasked
        : this.#whole;
    const out = session.run(feeds);
    return { attended: f32Of(out, "attended"), lse: partial ? f32Of(out, "lse") : EMPTY };
  }

  #feeds(q: Float32Array, count: number, views: HeadViews): Feeds {
    const feeds: Feeds = { q: f32(q, [count, this.#dims.headCount * this.#dims.headDim]) };
    feedHeads(feeds, views, this.#names, this.#dims.headDim);
    return feeds;
  }

  /** 0 where key t is at or before query i, else -infinity; the queries are the view's last rows. */
  #mask(count: number, total: number): Float32Array {
    const key = `${count},${total}`;
    const known = this.#masks.get(key);
    if (known !== undefined) return known;
    const mask = new Float32Array(count * total);
    for (let i = 0; i < count; i++)
      mask.fill(Number.NEGATIVE_INFINITY, i * total + total - count + i + 1, (i + 1) * total);
    if (this.#masks.size >= MASKS_MAX) this.#masks.clear();
    this.#masks.set(key, mask);
    return mask;
  }

  [Symbol.dispose](): void {
    for (const session of [this.#whole, this.#wholeMasked, this.#partial, this.#partialMasked])
      session[Symbol.dispose]();
  }
}

const EMPTY = new Float32Array(0);

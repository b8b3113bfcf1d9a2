import { assert } from "@drover/core";
import { type KvGeometry, type KvKind, type KvPart, segmentRowsOf } from "@drover/kv";
import { type LayerPlace, layerPlaces, type StoredSequence } from "@drover/sequences";
import type { ExtentStore, LayerRows } from "../kv/extent-store.ts";
import type { HeadViews } from "./head-views.ts";

/** What the rows of all sequences of a model have in common. */
export type RowsContext = Readonly<{ geometry: KvGeometry; storage: ExtentStore; places: readonly LayerPlace[] }>;

export function rowsContext(geometry: KvGeometry, storage: ExtentStore): RowsContext {
  return { geometry, storage, places: layerPlaces(geometry) };
}

/** One sequence's keys and values in one step: writes the step's rows and finds what each query sees. Made anew for each step, because between two of them rows may move. */
export class SequenceRows {
  readonly sequence: StoredSequence;
  /** Position of the step's first row. */
  readonly first: number;
  /** Global segments before it are read from holders. */
  readonly remoteEnd: number;
  readonly #context: RowsContext;
  readonly #parts: Readonly<Record<KvKind, Map<number, readonly KvPart[]>>> = { global: new Map(), local: new Map() };

  /** The part that was found last: the next row is likely in it, and so is the same row of the next layer. */
  readonly #last: Record<KvKind, KvPart | undefined> = { global: undefined, local: undefined };

  constructor(sequence: StoredSequence, context: RowsContext) {
    this.sequence = sequence;
    this.first = sequence.length;
    this.remoteEnd = sequence.remoteEnd;
    this.#context = context;
  }

  /**
   * Stores rows [offset, offset + rowCount) of k_aKd and v_aKd, [a, K*d] row-major, as the step's. Rows that are there already, as a view, are
   * not written.
   */
  append(layer: number, k_aKd: Float32Array, v_aKd: Float32Array, offset: number, rowCount: number): void {
    const { kind, index } = this.#place(layer);
    const writeFrom = this.sequence.writeFrom(kind);
    for (let i = Math.max(0, writeFrom - this.first); i < rowCount; i++) {
      const { extent, firstRow, position } = this.#partAt(kind, this.first + i);
      this.#context.storage.write(extent, index, firstRow + this.first + i - position, k_aKd, v_aKd, offset + i);
    }
  }

  /** First position after the run that holds `position`: queries from there on have their own. */
  runEnd(layer: number, position: number): number {
    const part = this.#partAt(this.#place(layer).kind, position);
    return part.position + part.rowCount;
  }

  /**
   * Everything that the queries [position, end) of one run see: that run up to `end` first, then the runs before it, of their segment and,
   * in global layers, of all segments before that holders do not have.
   */
  runsAt(layer: number, position: number, end: number = position + 1): readonly [HeadViews, ...HeadViews[]] {
    const { kind, index } = this.#place(layer);
    const own = this.#partAt(kind, position);
    const before: HeadViews[] = [];
    const first = kind === "global" ? this.remoteEnd : 0;
    for (let segment = this.#segmentOf(kind, position); segment >= first; segment--) {
      for (const part of this.#partsOf(kind, segment))
        if (part.position < own.position) before.push(this.#views(part, index, end));
      if (kind === "local") break;
    }
    return [this.#views(own, index, end), ...before];
  }

  /** Whether all that the step's first row sees in layers of a kind, at most `rowsMax` rows, and its own place, is one run at the beginning of an extent. */
  isInOneRun(kind: KvKind, rowsMax: number): boolean {
    const { first, sequence } = this;
    const segment = this.#segmentOf(kind, first);
    const start = segment * segmentRowsOf(this.#context.geometry, kind === "global");
    if (first - start > rowsMax || sequence.writeFrom(kind) > first || (kind === "global" && segment > 0)) return false;
    const { position, firstRow } = this.#partAt(kind, first);
    return position === start && firstRow === 0;
  }

  /** Where {@link isInOneRun} holds: the count of cached rows that the step's first row sees. */
  countBefore(kind: KvKind): number {
    return this.first - this.#partAt(kind, this.first).position;
  }

  /** Where {@link isInOneRun} holds: the rows of the layer, the step's own row among them. */
  cachedRows(layer: number): LayerRows {
    const { kind, index } = this.#place(layer);
    return this.#context.storage.rows(this.#partAt(kind, this.first).extent, index);
  }

  #views({ extent, firstRow, position, rowCount }: KvPart, index: number, end: number): HeadViews {
    return this.#context.storage.views(extent, index, firstRow, Math.min(rowCount, end - position));
  }

  #place(layer: number): LayerPlace {
    const place = this.#context.places[layer];
    assert(place !== undefined, "a layer is one of the model's");
    return place;
  }

  #segmentOf(kind: KvKind, position: number): number {
    return Math.floor(position / segmentRowsOf(this.#context.geometry, kind === "global"));
  }

  #partAt(kind: KvKind, position: number): KvPart {
    const last = this.#last[kind];
    if (last !== undefined && position >= last.position && position < last.position + last.rowCount) return last;
    const parts = this.#partsOf(kind, this.#segmentOf(kind, position));
    const part = parts.findLast((each) => each.position <= position);
    assert(part !== undefined && position < part.position + part.rowCount, "a row is reserved before it is used");
    this.#last[kind] = part;
    return part;
  }

  #partsOf(kind: KvKind, segment: number): readonly KvPart[] {
    const known = this.#parts[kind].get(segment);
    if (known !== undefined) return known;
    const found = this.sequence.parts(kind, segment);
    this.#parts[kind].set(segment, found);
    return found;
  }
}

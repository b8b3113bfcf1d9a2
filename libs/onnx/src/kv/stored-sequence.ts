import { assert, type KvSequence } from "@drover/core";
import {
  KV_KINDS,
  type KvCache,
  type KvGeometry,
  type KvKind,
  type KvPart,
  type OpenSequence,
  segmentRowsOf,
} from "@drover/kv";
import type { HeadViews } from "../attention/head-views.ts";
import type { ExtentStore } from "./extent-store.ts";
import type { SequenceStripes } from "./sequence-stripes.ts";

/** Of a sequence whose old global rows are with holders: where. `repairs`: it only computes that lost segment again. */
type StripedKv = Readonly<{ stripes: SequenceStripes; repairs?: number }>;

type KindLayer = Readonly<{ kind: KvKind; index: number }>;

/** Of each layer its kind, and its place among the layers of that kind. */
export function layersByKind(geometry: KvGeometry): readonly KindLayer[] {
  const counts = { global: 0, local: 0 };
  return geometry.isGlobalLayer.map((isGlobal) => {
    const kind = isGlobal ? "global" : "local";
    return { kind, index: counts[kind]++ };
  });
}

/** One sequence's KV: which rows it sees is the cache's to say, what is in them the store's. Rows beyond `length` belong to a step that may still be abandoned. */
export class StoredSequence implements KvSequence {
  readonly handle: OpenSequence;
  /** Whether its rows stay cached when it is closed. */
  readonly keep: boolean;
  readonly stripes: SequenceStripes | undefined;
  readonly repairs: number | undefined;
  /** Computes what is lost of this one. */
  repair: StoredSequence | undefined;
  readonly #cache: KvCache;
  readonly #store: ExtentStore;
  readonly #layers: readonly KindLayer[];
  readonly #parts: Readonly<Record<KvKind, Map<number, readonly KvPart[]>>> = { global: new Map(), local: new Map() };
  /** Ids of the rows of the step under way. */
  #stepIds: Int32Array | undefined;

  constructor(
    handle: OpenSequence,
    keep: boolean,
    cache: KvCache,
    store: ExtentStore,
    layers: readonly KindLayer[],
    striped?: StripedKv,
  ) {
    this.handle = handle;
    this.stripes = striped?.stripes;
    this.repairs = striped?.repairs;
    this.keep = keep;
    this.#cache = cache;
    this.#store = store;
    this.#layers = layers;
  }

  get length(): number {
    return this.handle.length;
  }

  get cachedCount(): number {
    return this.handle.cachedCount;
  }

  /** Global segments before it are read from holders. */
  get remoteEnd(): number {
    return this.repairs ?? this.stripes?.end ?? 0;
  }

  get rowCountMax(): number {
    return this.repairs === undefined
      ? Number.POSITIVE_INFINITY
      : (this.repairs + 1) * this.#cache.geometry.segmentRows;
  }

  /** Bytes that are its own: what it views of others is not among them. */
  get byteCount(): number {
    let bytes = this.repair?.byteCount ?? 0;
    for (const kind of KV_KINDS) {
      for (const { capacity } of this.handle[kind].ownExtents) bytes += this.#store.bytesOf(kind, capacity);
    }
    return bytes;
  }

  /** A step begins with these ids as its next rows. Where rows are is looked up anew: between steps they may have moved. */
  begin(tokenIds: Int32Array): void {
    this.#stepIds = tokenIds;
    this.#parts.global.clear();
    this.#parts.local.clear();
  }

  /** Stores rows of k_aK and v_aK ([a, KV*d] row-major, this sequence's starting at row `offset`) at positions length + .... Rows that are there already, as a view, are not written. */
  append(layer: number, k_aK: Float32Array, v_aK: Float32Array, offset: number, rowCount: number): void {
    const { kind, index } = this.#layer(layer);
    const writeFrom = this.handle.writeFrom(kind);
    for (let i = Math.max(0, writeFrom - this.length); i < rowCount; i++) {
      const { extent, firstRow, position } = this.#partAt(kind, this.length + i);
      this.#store.write(extent, index, firstRow + this.length + i - position, k_aK, v_aK, offset + i);
    }
  }

  /** First position after the run that holds `position`: queries from there on have their own. */
  runEnd(layer: number, position: number): number {
    const part = this.#partAt(this.#layer(layer).kind, position);
    return part.position + part.rowCount;
  }

  /**
   * Everything that the queries [position, end) of one run see: that run up to `end` first, then the runs before it, of their segment and,
   * in global layers, of all segments before that holders do not have.
   */
  runsAt(layer: number, position: number, end: number = position + 1): HeadViews[] {
    const { kind, index } = this.#layer(layer);
    const own = this.#partAt(kind, position);
    const runs = [this.#views(own, index, end)];
    const first = kind === "global" ? this.remoteEnd : 0;
    for (let segment = this.#segmentOf(kind, position); segment >= first; segment--) {
      for (const part of this.#partsOf(kind, segment))
        if (part.position < own.position) runs.push(this.#views(part, index, end));
      if (kind === "local") break;
    }
    return runs;
  }

  /** The step's rows count from now on, and so do their ids. */
  commit(rowCount: number): void {
    const { hashes } = this.handle;
    const known = hashes.tokenCount - this.length;
    assert(this.#stepIds !== undefined, "rows are computed before they are committed");
    if (this.stripes === undefined && known < rowCount)
      hashes.append(this.#stepIds.subarray(Math.max(0, known), rowCount));
    this.#stepIds = undefined;
    this.#cache.commit(this.handle, rowCount);
  }

  #views({ extent, firstRow, position, rowCount }: KvPart, index: number, end: number): HeadViews {
    return this.#store.views(extent, index, firstRow, Math.min(rowCount, end - position));
  }

  #layer(layer: number): KindLayer {
    const found = this.#layers[layer];
    assert(found !== undefined, "a layer is one of the model's");
    return found;
  }

  #segmentOf(kind: KvKind, position: number): number {
    return Math.floor(position / segmentRowsOf(this.#cache.geometry, kind === "global"));
  }

  #partAt(kind: KvKind, position: number): KvPart {
    const parts = this.#partsOf(kind, this.#segmentOf(kind, position));
    const part = parts.findLast((each) => each.position <= position);
    assert(part !== undefined && position < part.position + part.rowCount, "a row is reserved before it is used");
    return part;
  }

  #partsOf(kind: KvKind, segment: number): readonly KvPart[] {
    const known = this.#parts[kind].get(segment);
    if (known !== undefined) return known;
    const found = this.#cache.parts(this.handle, kind, segment);
    this.#parts[kind].set(segment, found);
    return found;
  }
}

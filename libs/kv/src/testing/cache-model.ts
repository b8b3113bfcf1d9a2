import { assert } from "@drover/core";
import { BlockHashes, keyAt } from "../block-hashes.ts";
import type { KvGeometry } from "../geometry.ts";
import { KV_KINDS, type KvKind } from "../geometry.ts";
import { KvCache } from "../kv-cache.ts";
import type { KvCacheOptions } from "../kv-cache-options.ts";
import { BLOCK_TOKENS, SEGMENT_PARTS_MAX } from "../limits.ts";
import type { OpenSequence } from "../open-sequence.ts";
import { RowStore } from "./row-store.ts";
import { rowName, Stories } from "./stories.ts";

const SEED = { modelFingerprint: "model", salt: "" };
const STORY_BLOCKS = 64;
/** More than all segments of a story together. */
const COMPACTION_BYTES = 20_000;

/** What a random operation does: `choice` picks it, the others its arguments. */
export type Operation = Readonly<{ choice: number; a: number; b: number; c: number }>;

type Sequence = Readonly<{ open: OpenSequence; symbols: readonly number[]; prefixes: readonly number[] }> & {
  /** Its global rows before `end` were given up. */
  readonly elsewhere?: { end: number };
};

/**
 * Drives a cache beside a reference that knows only which blocks were said to be cached, and what each row must hold.
 */
export class CacheModel {
  readonly store: RowStore;
  readonly cache: KvCache;
  readonly #geometry: KvGeometry;
  readonly #options: KvCacheOptions;
  readonly #stories = new Stories();
  readonly #sequences: Sequence[] = [];
  readonly #cached: Readonly<Record<KvKind, Set<string>>> = { global: new Set(), local: new Set() };
  #eventCount = 0;
  #past: readonly number[] = Array.from({ length: STORY_BLOCKS }, () => 0);

  constructor(geometry: KvGeometry, options: KvCacheOptions) {
    this.#geometry = geometry;
    this.#options = options;
    this.store = new RowStore(geometry);
    this.cache = new KvCache(geometry, this.store, options);
  }

  run({ choice, a, b, c }: Operation): void {
    const sequence = this.#sequences[a % Math.max(1, this.#sequences.length)];
    if (sequence === undefined || (choice < 2 && this.#sequences.length < 8)) this.#open(a, b, c);
    else if (choice < 7) this.#step(sequence, 1 + (b % (choice < 4 ? 700 : 90)));
    else this.#close(sequence, c % 8 > 0);
    this.#learn();
    this.#checkSums();
  }

  closeAll(): void {
    for (const sequence of [...this.#sequences]) this.#close(sequence, true);
    this.#learn();
    this.#checkSums();
    for (const kind of KV_KINDS) assert(this.cache.bytes(kind).referenced === 0, "nothing is referenced by nobody");
  }

  /** A story that leaves an earlier one at some block, so that all lengths of common prefixes occur. */
  #open(a: number, b: number, c: number): void {
    const leave = b % 24;
    const symbols = this.#past.map((symbol, i) => (i < leave ? symbol : 1 + ((a + i * (c % 3)) % 3)));
    if (c % 5 === 0) this.#past = symbols;
    const promptLength = 1 + (c % (20 * BLOCK_TOKENS));
    const hashes = new BlockHashes(SEED);
    hashes.append(Stories.tokens(symbols, 0, promptLength));
    const reuse = a % 10 > 0;
    if (a % 16 === 1) {
      this.#openApart(hashes, promptLength, symbols, b);
      return;
    }
    const free = this.#options.bytesMax - this.store.byteCount;
    const expected = reuse ? this.#expectedHit(hashes, promptLength) : 0;
    const open = this.cache.open(hashes, { promptLength, reuse });
    assert(open.cachedCount === expected, "a hit is as long as what is cached allows");
    assert(open.cachedCount < promptLength, "one row of a prompt is computed");
    const sequence = { open, symbols, prefixes: this.#stories.prefixes(symbols) };
    this.#sequences.push(sequence);
    this.#checkRows(sequence);
    if (free > COMPACTION_BYTES) this.#checkParts(open, promptLength);
  }

  /** One of which nothing is cached, and whose rows before a segment's border are elsewhere from the start. */
  #openApart(hashes: BlockHashes, promptLength: number, symbols: readonly number[], b: number): void {
    const open = this.cache.open(hashes, { promptLength, firstRow: (b % 3) * this.#geometry.segmentRows });
    this.#sequences.push({ open, symbols, prefixes: this.#stories.prefixes(symbols), elsewhere: { end: open.length } });
  }

  /** Global rows of some finished segments go elsewhere. */
  #giveUp({ open, elsewhere }: Sequence, choice: number): void {
    const { segmentRows } = this.#geometry;
    const end = Math.floor(open.length / segmentRows) * segmentRows;
    if (elsewhere === undefined || end <= elsewhere.end || choice % 2 === 0) return;
    elsewhere.end += segmentRows * (choice % 3 === 0 ? 1 : (end - elsewhere.end) / segmentRows);
    const before = this.cache.digest();
    this.cache.giveUp(open, elsewhere.end);
    assert(this.cache.digest().sequence === before.sequence, "nothing of a sequence apart was cached");
  }

  /** Where there is room to copy, a new sequence sees no segment in more parts than allowed. */
  #checkParts(open: OpenSequence, promptLength: number): void {
    for (let segment = 0; segment * this.#geometry.segmentRows < promptLength; segment++) {
      const partCount = this.cache.parts(open, "global", segment).length;
      assert(
        partCount <= (this.#options.segmentPartsMax ?? SEGMENT_PARTS_MAX),
        "a segment has no more parts than allowed",
      );
    }
  }

  #expectedHit(hashes: BlockHashes, promptLength: number): number {
    if (!this.#options.prefixCache) return 0;
    let end = 0;
    const most = Math.floor((promptLength - 1) / BLOCK_TOKENS);
    while (end < most && this.#cached.global.has(hashes.key(end))) end += 1;
    const first =
      Math.floor((end * BLOCK_TOKENS) / this.#geometry.chunkRows) * (this.#geometry.chunkRows / BLOCK_TOKENS);
    let local = first;
    while (local < end && this.#cached.local.has(hashes.key(local))) local += 1;
    return local * BLOCK_TOKENS;
  }

  #step(sequence: Sequence, rows: number): void {
    const { open, symbols } = sequence;
    const rowCount = Math.min(rows, STORY_BLOCKS * BLOCK_TOKENS - open.length);
    if (rowCount <= 0) return;
    const before = { digest: this.cache.digest(), bytes: this.store.byteCount };
    const needed = this.cache.bytesNeeded(open, rowCount);
    const referenced = this.cache.bytes("global").referenced + this.cache.bytes("local").referenced;
    const isThere = this.cache.reserve(open, rowCount);
    assert(
      isThere === referenced + needed <= this.#options.bytesMax,
      "what is cached gives way, what is referenced does not",
    );
    if (!isThere) {
      assert(this.store.byteCount === before.bytes, "a refusal allocates nothing");
      assert(this.cache.digest().sequence === before.digest.sequence, "a refusal evicts nothing");
      return;
    }
    const length = open.length + rowCount;
    for (const kind of KV_KINDS) this.#writeRows(sequence, kind, length);
    const { hashes } = open;
    if (hashes.tokenCount < length) hashes.append(Stories.tokens(symbols, hashes.tokenCount, length));
    this.cache.commit(open, rowCount);
    this.#giveUp(sequence, rows);
    this.#checkRows(sequence);
  }

  #writeRows({ open, prefixes }: Sequence, kind: KvKind, length: number): void {
    const from = Math.max(open.length, open.writeFrom(kind));
    const rows = kind === "global" ? this.#geometry.segmentRows : this.#geometry.chunkRows;
    for (let segment = Math.floor(from / rows); segment * rows < length; segment++) {
      for (const part of this.cache.parts(open, kind, segment)) {
        const end = Math.min(length, part.position + part.rowCount);
        for (let position = Math.max(from, part.position); position < end; position++)
          this.store.write(part.extent, part.firstRow + position - part.position, rowName(prefixes, position));
      }
    }
  }

  #close(sequence: Sequence, keep: boolean): void {
    this.#checkRows(sequence);
    this.#sequences.splice(this.#sequences.indexOf(sequence), 1);
    this.cache.close(sequence.open, keep);
  }

  /** Every row that attention would see is there once, in order, and holds what its own prefix would have given. */
  #checkRows({ open, prefixes, elsewhere }: Sequence): void {
    for (const kind of KV_KINDS) {
      const rows = kind === "global" ? this.#geometry.segmentRows : this.#geometry.chunkRows;
      const first = kind === "global" ? (elsewhere?.end ?? 0) : Math.floor(open.length / rows) * rows;
      let next = first;
      for (let segment = first / rows; segment * rows < open.length; segment++) {
        const parts = this.cache.parts(open, kind, segment);
        for (const part of parts) {
          assert(part.position === next, "parts follow each other");
          next += part.rowCount;
          for (const row of [0, part.rowCount - 1, (part.rowCount * 7) % 61]) {
            const position = part.position + row;
            if (row >= part.rowCount || position >= open.length) continue;
            const held = this.store.read(part.extent, part.firstRow + row);
            assert(held === rowName(prefixes, position), "a row holds what its own prefix gives");
          }
        }
      }
      assert(next >= open.length, "every committed row is in a part");
    }
  }

  /** Keeps the reference's sets by the events alone. */
  #learn(): void {
    for (const { sequence, operation, kind, hashes } of this.cache.takeEvents()) {
      this.#eventCount += 1;
      assert(sequence === this.#eventCount, "events have consecutive numbers");
      for (let i = 0; i * 16 < hashes.length; i++) {
        const key = keyAt(hashes, i);
        const was = operation === "added" ? this.#cached[kind].has(key) : !this.#cached[kind].delete(key);
        assert(!was, "a block enters a cache that lacks it and leaves one that has it");
        if (operation === "added") this.#cached[kind].add(key);
      }
    }
  }

  #checkSums(): void {
    const sum = this.cache.bytes("global").allocated + this.cache.bytes("local").allocated;
    assert(sum === this.store.byteCount, "what is accounted is what the store has allocated");
    for (const kind of KV_KINDS)
      assert(
        this.cache.digest()[kind].count === this.#cached[kind].size,
        "the digest counts the blocks that are cached",
      );
  }
}

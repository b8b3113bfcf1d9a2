import { BlockHashes, type KvCache, type KvKind, type OpenSequence, segmentRowsOf, servedModelSeed } from "@drover/kv";
import type { CudaText } from "../../libs/cuda/src/model/cuda-text.ts";
import { pageTable } from "../../libs/cuda/src/model/page-table.ts";
import type { RowRun } from "../../libs/cuda/src/model/step-rows.ts";

/** One sequence on a card: its rows are the cache's to place. */
export class CardSequence {
  readonly #text: CudaText;
  readonly #cache: KvCache;
  readonly #open: OpenSequence;

  constructor(text: CudaText, cache: KvCache) {
    this.#text = text;
    this.#cache = cache;
    this.#open = cache.open(new BlockHashes(servedModelSeed("", "")), { promptLength: 1, reuse: false });
  }

  /** Its next tokens as rows of a step; commit them when it is over. Throws when the cache is full. */
  run(tokenIds: Int32Array): RowRun {
    if (!this.#cache.reserve(this.#open, tokenIds.length)) throw new Error("the KV cache is full");
    const position = this.#open.length;
    const { chunkSize } = this.#text.config;
    const table = (kind: KvKind, firstPosition: number) =>
      pageTable(this.#text.store, (segment) => this.#cache.parts(this.#open, kind, segment), {
        segmentRows: segmentRowsOf(this.#text.geometry, kind === "global"),
        firstPosition,
        end: position + tokenIds.length,
        writeFrom: 0,
      });
    const tables = { global: table("global", 0), local: table("local", position - (position % chunkSize)) };
    return { position, tokenIds, tables };
  }

  commit(rowCount: number): void {
    this.#cache.commit(this.#open, rowCount);
  }

  close(): void {
    this.#cache.close(this.#open, false);
  }
}

import type { BlockHashes } from "./block-hashes.ts";
import type { KvTrack } from "./kv-track.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import type { Span } from "./span.ts";

/** Cached rows that are kept from eviction. */
export type KvPin = Readonly<{
  global: Span | undefined;
  local: Span | undefined;
  /** Tokens of the longest hit that it keeps. */
  tokenCount: number;
}>;

type Opened = Readonly<{
  hashes: BlockHashes;
  promptLength: number;
  cachedCount: number;
  branchAt: number | undefined;
  firstRow: number | undefined;
  global: KvTrack;
  local: KvTrack;
}>;

/** An open sequence. Only the cache changes it. */
export class KvHandle {
  readonly hashes: BlockHashes;
  /** Tokens that were not computed: the rows of the hit. */
  readonly cachedCount: number;
  /** Where cached global rows end beyond the hit: others have gone on from here, and one more may. */
  readonly branchAt: number | undefined;
  readonly global: KvTrack;
  readonly local: KvTrack;
  /** Whether it neither finds cached rows nor leaves any. */
  readonly isApart: boolean;
  /** End of the prompt's whole blocks. */
  readonly #promptEnd: number;
  /** Committed rows. */
  length: number;
  /** Rows before it are allocated. */
  reservedEnd: number;

  constructor(opened: Opened) {
    this.hashes = opened.hashes;
    this.cachedCount = opened.cachedCount;
    this.branchAt = opened.branchAt;
    this.global = opened.global;
    this.local = opened.local;
    this.#promptEnd = Math.floor(opened.promptLength / BLOCK_TOKENS) * BLOCK_TOKENS;
    this.isApart = opened.firstRow !== undefined;
    this.length = opened.firstRow ?? opened.cachedCount;
    this.reservedEnd = this.length;
  }

  /** Positions before it have their rows of this kind already, as a view: they are not written. */
  writeFrom(kind: "global" | "local"): number {
    return this[kind].writeFrom;
  }

  /**
   * Up to where a finished chunk's local rows stay cached: the prompt's end, because the next turn may leave the answer out or ask for
   * another one, and the end of a prefix that was found without its local rows, because what two prompts share a third one may.
   * Rows between are dropped: nothing says that a hit would end there.
   */
  keepEnd(chunk: number, chunkRows: number): number {
    const within = (position: number) => (position > chunk && position < chunk + chunkRows ? position : chunk);
    return Math.max(within(this.#promptEnd), within(this.branchAt ?? 0));
  }

  /** Whether local rows of a chunk are cached while it grows: not those that its end would drop, which would only stir the index. */
  showsChunk(chunk: number, chunkRows: number): boolean {
    return chunk + chunkRows > this.#promptEnd || this.keepEnd(chunk, chunkRows) > chunk;
  }
}

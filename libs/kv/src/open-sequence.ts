import type { BlockHashes } from "./block-hashes.ts";
import type { KvKind } from "./geometry.ts";
import { BLOCK_TOKENS } from "./limits.ts";
import type { SequenceRows } from "./sequence-rows.ts";

type Opened = Readonly<{
  hashes: BlockHashes;
  promptLength: number;
  cachedCount: number;
  branchAt: number | undefined;
  firstRow: number | undefined;
  global: SequenceRows;
  local: SequenceRows;
}>;

/**
 * A sequence between its opening and its end, as the cache knows it: its rows of both kinds. Only the cache changes it.
 */
export class OpenSequence {
  readonly hashes: BlockHashes;
  /** Tokens that need not be computed: the rows of the hit. */
  readonly cachedCount: number;
  /** Where cached global rows end beyond the hit: others have gone on from here, and one more may. */
  readonly branchAt: number | undefined;
  readonly global: SequenceRows;
  readonly local: SequenceRows;
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

  /** Positions before it have their rows of this kind already, shared with others: they are not written. */
  writeFrom(kind: KvKind): number {
    return this[kind].writeFrom;
  }

  /**
   * Up to where a finished chunk's local rows stay cached: the prompt's end, because the next turn may leave the answer
   * out or ask for another one, and the end of a prefix that was found without its local rows, because what two prompts
   * share a third one may. Rows between are dropped: nothing says that a hit would end there.
   */
  keepEnd(chunk: number, chunkRows: number): number {
    const within = (position: number) => (position > chunk && position < chunk + chunkRows ? position : chunk);
    return Math.max(within(this.#promptEnd), within(this.branchAt ?? chunk));
  }

  /**
   * Whether local rows of a chunk are cached while it grows: not those that its end would drop, which would only stir
   * the index.
   */
  showsChunk(chunk: number, chunkRows: number): boolean {
    return chunk + chunkRows > this.#promptEnd || this.keepEnd(chunk, chunkRows) > chunk;
  }
}

import {
  type Clock,
  DroverError,
  type Logger,
  neverAborted,
  sleepUnlessAborted,
  toDroverError,
  withTimeout,
} from "@drover/core";
import {
  KEYED_JOURNAL_BYTES_MAX,
  KEYED_SEGMENT_BYTES,
  KEYED_WRITE_LIMIT,
  KEYED_WRITE_PAUSE_MS,
  KEYED_WRITES_TRIED_MAX,
} from "../limits.ts";
import type { UnkeptReason } from "../metrics/router-metrics.ts";
import { type Delivered, type Segments, segmentBytes, segmentKey } from "./answer-segments.ts";
import type { KeptRoom } from "./kept-room.ts";
import type { KeyedClaim } from "./keyed-claim.ts";

/** What came of a write: it is there, it could not be kept, or another router has the request. */
type Written = "kept" | "unkept" | "taken";

export type SegmentWriterOptions = Readonly<{
  claim: KeyedClaim;
  /** Of an earlier router. */
  segments: Segments;
  room: KeptRoom;
  clock: Clock;
  logger: Logger;
  onUnkept: (reason: UnkeptReason) => void;
}>;

/**
 * Writes what is delivered of a keyed request to the store, under its claim. What cannot be written for a while, or is too much, is not kept, and nothing
 * from then on: the request goes on all the same, at this router alone.
 */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  #digest: Uint8Array | undefined;
  #tail: Delivered[] = [];
  #tailByteCount = 0;
  #index: number;
  /** Of all that is there. */
  #byteCount: number;
  /** Of them, those that this router has written. */
  #ownByteCount = 0;
  #isKept = true;

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
    this.#index = options.segments.count;
    this.#byteCount = options.segments.byteCount;
  }

  /** Whether all that was delivered is there. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** Whether anything is there. */
  get hasAny(): boolean {
    return this.#byteCount > 0;
  }

  /** What the store has, where it is of what is asked now. Errors: `not_found` where it is of something else. */
  begin(digest: Uint8Array): readonly Delivered[] {
    const { delivered, digest: earlier } = this.#options.segments;
    if (earlier !== undefined && Buffer.compare(earlier, digest) !== 0)
      throw new DroverError(
        "not_found",
        "the request reads otherwise by now, as one with an image that has changed: send it with a new Idempotency-Key",
      );
    this.#digest = digest;
    return delivered;
  }

  /** Never fails: what the store does not take is `unkept`. One at a time. */
  async write(delivered: readonly Delivered[]): Promise<Written> {
    const { claim } = this.#options;
    if (!this.#isKept || delivered.length === 0 || this.#digest === undefined) return this.#isKept ? "kept" : "unkept";
    this.#tail.push(...delivered);
    const bytes = segmentBytes(this.#digest, claim.record.epoch, this.#tail);
    if (!this.#takeRoom(bytes.length - this.#tailByteCount)) return this.#lose("full");
    this.#tailByteCount = bytes.length;
    const key = segmentKey(claim.name, claim.record.origin, this.#index);
    const written = await this.#put(key, bytes);
    if (written !== "kept") return written;
    if (bytes.length >= KEYED_SEGMENT_BYTES) {
      this.#index += 1;
      this.#tail = [];
      this.#tailByteCount = 0;
    }
    return "kept";
  }

  /** Of what is not kept, whether the request is still this router's, as far as the store can say. */
  async holds(): Promise<boolean> {
    if (this.#isKept) return true;
    try {
      return await this.#options.claim.holds();
    } catch (error) {
      toDroverError(error);
      return true;
    }
  }

  /** The answer is there as a whole, or is not to be found again: its parts are not needed. Errors: those of the store. */
  async forget(): Promise<void> {
    const { claim, room } = this.#options;
    const { name, record } = claim;
    room.give(this.#ownByteCount);
    this.#ownByteCount = 0;
    const keys = Array.from({ length: this.#index + 1 }, (_, index) => segmentKey(name, record.origin, index));
    for (let start = 0; start < keys.length; start += 256) await claim.forget(keys.slice(start, start + 256));
  }

  /** Another router may go on with what is there. */
  leave(): void {
    this.#options.room.leave(this.#ownByteCount);
    this.#ownByteCount = 0;
  }

  #takeRoom(byteCount: number): boolean {
    if (this.#byteCount + byteCount > KEYED_JOURNAL_BYTES_MAX) return false;
    if (!this.#options.room.take(byteCount)) return false;
    this.#byteCount += byteCount;
    this.#ownByteCount += byteCount;
    return true;
  }

  async #put(key: string, bytes: Uint8Array): Promise<Written> {
    const { claim, clock } = this.#options;
    for (let tried = 1; ; tried++) {
      try {
        if (await withTimeout(KEYED_WRITE_LIMIT, clock, neverAborted, () => claim.put(key, bytes))) return "kept";
        return (await claim.holds()) ? this.#lose("forgotten") : "taken";
      } catch (error) {
        const { code } = toDroverError(error);
        if (code === "overloaded") return this.#lose("full");
        if (tried === KEYED_WRITES_TRIED_MAX) return this.#lose("away");
      }
      await sleepUnlessAborted(clock, KEYED_WRITE_PAUSE_MS, neverAborted);
    }
  }

  async #lose(reason: UnkeptReason): Promise<Written> {
    const { claim, logger, onUnkept } = this.#options;
    this.#isKept = false;
    this.#tail = [];
    onUnkept(reason);
    logger.warn("keyed_answers.not_resumable", { request: claim.record.origin.id, reason });
    // Others are told, so that nobody goes on with less than clients got. Where it cannot be told, nobody else can look either.
    if (reason !== "full") return "unkept";
    try {
      return (await claim.unkeep()) ? "unkept" : "taken";
    } catch (error) {
      logger.warn("keyed_answers.not_told", { reason: toDroverError(error).message });
      return "unkept";
    }
  }
}

import { type Clock, DroverError, type PayloadStore, toDroverError } from "@drover/core";
import { KEYED_AWAY_MS_MAX, KEYED_BEAT_MS, KEYED_LOOK_MS, KEYED_SEGMENT_BYTES } from "../limits.ts";
import { type Delivered, deliveredOf, digestIn, epochOf, segmentKey } from "./answer-segments.ts";
import { inUse, type KeyedKeys, notKept, type Opened } from "./keyed-keys.ts";
import type { RunningRecord } from "./keyed-record.ts";
import type { Origin } from "./origin.ts";

/** How what another router computes has ended: it is there, or the request is this router's. */
export type TailEnd = Exclude<Opened, { kind: "elsewhere" }>;

export type AnswerTailOptions = Readonly<{
  store: PayloadStore;
  keys: KeyedKeys;
  clock: Clock;
  name: string;
  record: RunningRecord;
  /** Of what is asked here: what is delivered must be of the same. */
  promptDigest: Uint8Array;
}>;

/** What a reader of a tail does with it. */
export type TailReader = Readonly<{
  take: (delivered: readonly Delivered[]) => void;
  /** What the other router's client has got by now is taken. */
  caughtUp: () => void;
}>;

/**
 * What another router delivers of a keyed request, from the store, where it stands before that one's client has it: each event once and in order, up to
 * the answer or to where that router has gone. What could not be kept is not there: it comes with the whole answer.
 */
export class AnswerTail {
  readonly #options: AnswerTailOptions;
  readonly #origin: Origin;
  /** The segment of which more may come, and how many of its events were taken. */
  #index = 0;
  #takenOfSegment = 0;
  #epoch = 0;
  #takenCount = 0;

  constructor(options: AnswerTailOptions) {
    this.#options = options;
    this.#origin = options.record.origin;
  }

  /** How many events were taken. */
  get takenCount(): number {
    return this.#takenCount;
  }

  /**
   * Reads to the end, until `untilMs` on the clock's scale at most. Errors: `unavailable` where the other router has failed, or the store is away;
   * `idempotency_key_in_use` where the key is at another request's; `not_found` where what is delivered is of something else; `deadline_exceeded`;
   * the signal's reason.
   */
  async read(reader: TailReader, untilMs: number, signal: AbortSignal): Promise<TailEnd> {
    const { clock } = this.#options;
    let seenAtMs = clock.monotonic();
    for (;;) {
      signal.throwIfAborted();
      if (clock.now() >= untilMs) throw new DroverError("deadline_exceeded", "the request took too long");
      try {
        const end = await this.#look(reader, signal);
        if (end !== undefined) return end;
        seenAtMs = clock.monotonic();
      } catch (error) {
        const { code } = toDroverError(error);
        const isAway = code === "unavailable" || code === "deadline_exceeded";
        if (!isAway || error instanceof Lost || clock.monotonic() - seenAtMs >= KEYED_AWAY_MS_MAX) throw error;
      }
      await clock.sleep(KEYED_LOOK_MS, signal);
    }
  }

  async #look({ take, caughtUp }: TailReader, signal: AbortSignal): Promise<TailEnd | undefined> {
    const { keys, name, record: first } = this.#options;
    const found = await keys.find(name, signal);
    const { record } = found ?? {};
    if (record === undefined || record.kind === "free") throw new Lost();
    if (record.digest !== first.digest || record.kind === "foreign") throw inUse();
    if (record.kind === "done") return record;
    if (record.origin.id !== this.#origin.id) throw inUse();
    if (record.isUnkept !== true) {
      await this.#takeNew(take, signal);
      caughtUp();
    }
    if (await keys.isElsewhere(record, signal)) return undefined;
    if (record.isUnkept === true) throw new Lost();
    const opening = { digest: first.digest, isRest: true, newOrigin: () => this.#origin };
    return keys.takeOver(name, found, record, opening, signal);
  }

  async #takeNew(take: TailReader["take"], signal: AbortSignal): Promise<void> {
    const { store, name } = this.#options;
    for (;;) {
      // In this order: one that has a next one is not written any more.
      const next = await store.get(segmentKey(name, this.#origin, this.#index + 1), signal);
      const bytes = await store.get(segmentKey(name, this.#origin, this.#index), signal);
      if (bytes === undefined || epochOf(bytes) < this.#epoch) return;
      this.#check(bytes);
      this.#epoch = epochOf(bytes);
      const delivered = deliveredOf(bytes);
      const fresh = delivered.slice(this.#takenOfSegment);
      this.#takenOfSegment = delivered.length;
      this.#takenCount += fresh.length;
      if (fresh.length > 0) take(fresh);
      if (next === undefined && bytes.length < KEYED_SEGMENT_BYTES) return;
      this.#index += 1;
      this.#takenOfSegment = 0;
    }
  }

  #check(bytes: Uint8Array): void {
    if (Buffer.compare(digestIn(bytes), this.#options.promptDigest) !== 0) throw notKept();
  }
}

/** The other router has failed, or its answer was too large to be kept. */
class Lost extends DroverError {
  constructor() {
    super("unavailable", "the router that answered this Idempotency-Key has failed with it: ask again", {
      retryAfterMs: KEYED_BEAT_MS,
    });
  }
}

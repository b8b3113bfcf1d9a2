import {
  at,
  type Clock,
  DroverError,
  type ErrorCode,
  type Logger,
  neverAborted,
  type PayloadStore,
  toDroverError,
  untilAborted,
} from "@drover/core";
import { KEYED_ALONE_MS_MAX, KEYED_ANSWER_MS, KEYED_BEAT_MS, KEYED_SILENCE_MS_MAX } from "../limits.ts";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import type { Generation } from "../requests/generation.ts";
import { AnswerJournal, takenOver } from "./answer-journal.ts";
import { AnswerTail } from "./answer-tail.ts";
import type { KeptRoom } from "./kept-room.ts";
import type { KeyedClaim } from "./keyed-claim.ts";
import type { KeyedKeys, Opened } from "./keyed-keys.ts";
import type { KeyedRun } from "./keyed-run.ts";
import type { RecordedAnswer } from "./recorded-answer.ts";
import { SegmentWriter } from "./segment-writer.ts";

/** Makes an answer: pushes its parts, and ends when the signal aborts. Errors: what ends it. */
export type Make = (answer: RecordedAnswer, run: KeyedRun, signal: AbortSignal) => Promise<void>;

/** What all keyed requests of a router share. */
export type KeyedWorkParts = Readonly<{
  /** Whose calls end in time. */
  store: PayloadStore;
  keys: KeyedKeys;
  clock: Clock;
  logger: Logger;
  metrics: Pick<RouterMetrics, "keyedResumed" | "keyedUnkept">;
  answersRoom: KeptRoom;
  journalsRoom: KeptRoom;
  /** How long the next write of a request waits for more. */
  pauseMs: () => number;
}>;

export type KeyedWorkOptions = KeyedWorkParts &
  Readonly<{
    name: string;
    digest: string;
    opened: Exclude<Opened, { kind: "done" }>;
    answer: RecordedAnswer;
    /** It goes on whether anybody reads it or not. */
    isAwaited?: boolean | undefined;
  }>;

/** What another router, or a later time, may do better. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  "cancelled",
  "overloaded",
  "rate_limit_exceeded",
  "deadline_exceeded",
]);

type Own = Readonly<{ claim: KeyedClaim; writer: SegmentWriter }>;

/** The answer came whole from the store. */
const THERE = new DroverError("cancelled", "another router has answered it");

/** One keyed request at this router: computed here, or taken from another router as that one delivers it. */
export class KeyedWork {
  readonly #options: KeyedWorkOptions;
  readonly #journal: AnswerJournal;
  readonly #left = new AbortController();
  #own: Own | undefined;

  constructor(options: KeyedWorkOptions) {
    this.#options = options;
    this.#journal = new AnswerJournal(options.clock, options.pauseMs);
    if (options.opened.kind === "claimed") this.#take(options.opened);
  }

  /** Runs it to its end, which its answer tells. */
  async run(make: Make): Promise<void> {
    const { answer, opened } = this.#options;
    const watch = this.#watch();
    const { origin, epoch } = opened.kind === "claimed" ? opened.claim.record : opened.record;
    const own = () => this.#own;
    const run: KeyedRun = {
      origin,
      get epoch() {
        return own()?.claim.record.epoch ?? epoch;
      },
      get isOwn() {
        return own() !== undefined;
      },
      journal: this.#journal,
      ...(opened.kind === "elsewhere" && { follow: (generations) => this.#follow(generations) }),
    };
    try {
      await make(answer, run, this.#left.signal);
      clearInterval(watch);
      if (this.#own !== undefined) await this.#finish(this.#own);
      answer.end();
    } catch (error) {
      clearInterval(watch);
      if (this.#own !== undefined) await this.#giveUp(this.#own, toDroverError(error));
      if (error === THERE) answer.end();
      else {
        this.#left.abort(toDroverError(error));
        answer.end(error);
      }
    }
  }

  /** The request is this router's. */
  #take({ claim, segments }: Extract<Opened, { kind: "claimed" }>): void {
    const { journalsRoom: room, clock, logger, metrics } = this.#options;
    if (claim.record.epoch > 1) metrics.keyedResumed();
    const onUnkept = metrics.keyedUnkept.bind(metrics);
    const writer = new SegmentWriter({ claim, segments, room, clock, logger, onUnkept });
    this.#own = { claim, writer };
    this.#journal.own(writer);
  }

  /** See {@link KeyedRun.follow}. */
  async #follow(generations: readonly Generation[]): Promise<boolean> {
    const { opened, answer } = this.#options;
    const { signal } = this.#left;
    const { digest } = this.#journal;
    if (opened.kind !== "elsewhere" || digest === undefined) return true;
    const tail = new AnswerTail({ ...this.#options, record: opened.record, promptDigest: digest });
    const reader = {
      take: (delivered: Parameters<AnswerJournal["restore"]>[1]) => this.#journal.restore(generations, delivered),
      caughtUp: () => answer.begin(),
    };
    try {
      await untilAborted(this.#journal.isRead, signal);
      const end = await tail.read(reader, at(generations, 0).deadlineMs, signal);
      if (end.kind === "done") {
        for (const part of end.parts.slice(answer.partCount)) answer.push(part);
        this.#journal.fail(THERE);
        return false;
      }
      reader.take(end.segments.delivered.slice(tail.takenCount));
      this.#take(end);
      answer.begin();
      return true;
    } catch (error) {
      this.#journal.fail(toDroverError(error));
      return false;
    }
  }

  /** Looks again and again whether anybody reads the answer, and whether it is still this router's. */
  #watch(): NodeJS.Timeout {
    const { clock, answer, keys, name } = this.#options;
    let aloneSinceMs = clock.monotonic();
    const look = async () => {
      const isRead = answer.readerCount > 0 || this.#options.isAwaited === true;
      if (isRead) aloneSinceMs = clock.monotonic();
      if (this.#own === undefined) {
        if (isRead) await keys.tellReader(name, neverAborted);
      } else {
        await keys.beat(neverAborted).catch((error: unknown) => this.#tell(error));
        if (!(await this.#own.writer.holds())) this.#left.abort(takenOver());
        if (!isRead && (await keys.hasReader(name, neverAborted))) aloneSinceMs = clock.monotonic();
      }
      if (clock.monotonic() - aloneSinceMs > KEYED_ALONE_MS_MAX)
        this.#left.abort(new DroverError("cancelled", "nobody reads the answer"));
    };
    return setInterval(() => void look().catch((error: unknown) => this.#tell(error)), KEYED_BEAT_MS);
  }

  /** An answer is given whether it could be kept or not; of one that is too large its tokens may be. Errors: `idempotency_key_in_use` where another router has the request. */
  async #finish({ claim, writer }: Own): Promise<void> {
    const { answer, answersRoom, digest } = this.#options;
    const parts = answer.whole;
    const byteCount = parts?.reduce((sum, part) => sum + Buffer.byteLength(part), 0) ?? 0;
    let isMine = true;
    try {
      if (parts !== undefined && answersRoom.take(byteCount)) {
        try {
          isMine = await claim.end({ kind: "done", digest, parts }, KEYED_ANSWER_MS);
        } finally {
          // Where the store did not answer it may be there all the same, until its time is over.
          answersRoom.leave(byteCount);
        }
        if (isMine) await writer.forget();
      } else isMine = await this.#leave({ claim, writer });
    } catch (error) {
      writer.leave();
      this.#tell(error);
    }
    if (!isMine) throw takenOver();
  }

  /** What failed is forgotten; what was delivered of a request that its router could not finish is left to the next one. */
  async #giveUp(own: Own, { code }: DroverError): Promise<void> {
    const { claim, writer } = own;
    try {
      if (PASSING.has(code)) await this.#leave(own);
      else if (await claim.end({ kind: "free" }, KEYED_SILENCE_MS_MAX)) await writer.forget();
      else writer.leave();
    } catch (error) {
      writer.leave();
      this.#tell(error);
    }
  }

  /** Leaves what was delivered to the next one who asks, where all of it is kept. False where another router has the request. Errors: those of the store. */
  async #leave({ claim, writer }: Own): Promise<boolean> {
    const { routerId: _, ...record } = claim.record;
    const isLeft = writer.isKept && writer.hasAny;
    const isMine = isLeft
      ? await claim.end(record, KEYED_ANSWER_MS)
      : await claim.end({ kind: "free" }, KEYED_SILENCE_MS_MAX);
    if (isMine && !isLeft) await writer.forget();
    else writer.leave();
    return isMine;
  }

  #tell(error: unknown): void {
    const { code, message } = toDroverError(error);
    this.#options.logger.warn("keyed_answers.not_kept", { code, reason: message });
  }
}

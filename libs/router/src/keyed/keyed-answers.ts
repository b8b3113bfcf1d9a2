import { createHash } from "node:crypto";
import {
  type Clock,
  DroverError,
  type ErrorCode,
  type Logger,
  neverAborted,
  type PayloadStore,
  type RouterId,
  toDroverError,
} from "@drover/core";
import {
  IDEMPOTENCY_KEY_CHARACTERS_MAX,
  KEYED_ALONE_MS_MAX,
  KEYED_ANSWER_MS,
  KEYED_ANSWERS_BYTES_MAX,
  KEYED_BEAT_MS,
  KEYED_JOURNALS_BYTES_MAX,
  KEYED_SILENCE_MS_MAX,
  KEYED_WRITES_PER_SECOND_MAX,
} from "../limits.ts";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import { AnswerJournal, takenOver } from "./answer-journal.ts";
import { KeptRoom } from "./kept-room.ts";
import type { KeyedClaim } from "./keyed-claim.ts";
import { KeyedKeys, notKept, type Opened } from "./keyed-keys.ts";
import type { KeyedRun } from "./keyed-run.ts";
import type { Origin } from "./origin.ts";
import { RecordedAnswer } from "./recorded-answer.ts";
import { SegmentWriter } from "./segment-writer.ts";

/** What a client says of a request that it may send twice. */
export type KeyedRequest = Readonly<{
  /** Whose it is: a tenant's name, empty for the house's own. */
  owner: string;
  key: string;
  /** Of its path and body. */
  digest: string;
  /** The last event that the client has; undefined for one that asks from the beginning. */
  lastEventId: string | undefined;
}>;

/** What another router, or a later time, may do better. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  "cancelled",
  "overloaded",
  "rate_limit_exceeded",
  "deadline_exceeded",
]);

type Running = Readonly<{ digest: string; answer: RecordedAnswer }>;

/** Makes an answer: pushes its parts, and ends when the signal aborts. Errors: what ends it. */
type Make = (answer: RecordedAnswer, run: KeyedRun, signal: AbortSignal) => Promise<void>;

export type KeyedAnswersOptions = Readonly<{
  /** Whose calls end in time. */
  store: PayloadStore;
  routerId: RouterId;
  clock: Clock;
  logger: Logger;
  metrics: Pick<RouterMetrics, "keyedResumed" | "keyedUnkept">;
}>;

/**
 * Answers that were asked for with an `Idempotency-Key`: computed once, and given again to whoever asks the same with the same key, from any router,
 * for `KEYED_ANSWER_MS`; beside the payloads of waiting requests, where time ends them. What a router that has gone had delivered, another one goes on
 * with. A request that failed is forgotten, and may be tried again; one that its router could not finish is left to the next one.
 */
export class KeyedAnswers {
  readonly #options: KeyedAnswersOptions;
  readonly #keys: KeyedKeys;
  readonly #running = new Map<string, Running>();
  readonly #answersRoom: KeptRoom;
  readonly #journalsRoom: KeptRoom;

  constructor(options: KeyedAnswersOptions) {
    const { store, routerId, clock } = options;
    this.#options = options;
    this.#keys = new KeyedKeys(store, routerId, clock);
    this.#answersRoom = new KeptRoom(KEYED_ANSWERS_BYTES_MAX, clock);
    this.#journalsRoom = new KeptRoom(KEYED_JOURNALS_BYTES_MAX, clock);
  }

  /**
   * The answer to a keyed request, from `make` where there is none yet. Errors: `invalid_argument` for a key that is none; those of `KeyedKeys.open`;
   * `not_found` where the last event is none of this answer.
   */
  async answer(
    request: KeyedRequest,
    newOrigin: () => Origin,
    make: Make,
    signal: AbortSignal,
  ): Promise<RecordedAnswer> {
    const { digest, lastEventId } = request;
    const name = nameOf(request);
    const running = this.#running.get(name);
    if (running !== undefined && running.digest !== digest)
      throw new DroverError("idempotency_key_reused", "this Idempotency-Key was another request's: send a new one");
    const answer = running?.answer ?? (await this.#begin(name, request, newOrigin, make, signal));
    if (lastEventId !== undefined && !(await answer.hasPart(lastEventId, signal))) throw notKept();
    return answer;
  }

  async #begin(
    name: string,
    { digest, lastEventId }: KeyedRequest,
    newOrigin: () => Origin,
    make: Make,
    signal: AbortSignal,
  ): Promise<RecordedAnswer> {
    const answer = new RecordedAnswer();
    // Before anything is waited for: who comes meanwhile joins.
    this.#running.set(name, { digest, answer });
    try {
      const opened = await this.#keys.open(name, { digest, isRest: lastEventId !== undefined, newOrigin }, signal);
      if (opened.kind === "claimed") void this.#run(name, opened, answer, make);
      else {
        for (const part of opened.parts) answer.push(part);
        answer.end();
        this.#running.delete(name);
      }
      return answer;
    } catch (error) {
      this.#running.delete(name);
      answer.end(error);
      throw error;
    }
  }

  async #run(
    name: string,
    { claim, segments }: Extract<Opened, { kind: "claimed" }>,
    answer: RecordedAnswer,
    make: Make,
  ): Promise<void> {
    const { clock, logger, metrics } = this.#options;
    if (claim.record.epoch > 1) metrics.keyedResumed();
    const onUnkept = metrics.keyedUnkept.bind(metrics);
    const writer = new SegmentWriter({ claim, segments, room: this.#journalsRoom, clock, logger, onUnkept });
    const pauseMs = () => Math.floor((this.#running.size * 1000) / KEYED_WRITES_PER_SECOND_MAX);
    const journal = new AnswerJournal(writer, clock, pauseMs);
    const left = new AbortController();
    const watch = this.#watch(answer, writer, left);
    try {
      await make(answer, { ...claim.record, journal }, left.signal);
      clearInterval(watch);
      await this.#finish(claim, writer, answer);
      answer.end();
    } catch (error) {
      clearInterval(watch);
      await this.#giveUp(claim, writer, toDroverError(error));
      answer.end(error);
    } finally {
      this.#running.delete(name);
    }
  }

  /** Looks again and again whether anybody reads the answer, and whether it is still this router's. */
  #watch(answer: RecordedAnswer, writer: SegmentWriter, left: AbortController): NodeJS.Timeout {
    const { clock } = this.#options;
    let aloneSinceMs = clock.monotonic();
    const look = async () => {
      if (answer.readerCount > 0) aloneSinceMs = clock.monotonic();
      if (clock.monotonic() - aloneSinceMs > KEYED_ALONE_MS_MAX)
        left.abort(new DroverError("cancelled", "nobody reads the answer"));
      await this.#keys.beat(neverAborted).catch((error: unknown) => this.#tell(error));
      if (!(await writer.holds())) left.abort(takenOver());
    };
    return setInterval(() => void look(), KEYED_BEAT_MS);
  }

  /** An answer is given whether it could be kept or not. Errors: `idempotency_key_in_use` where another router has the request. */
  async #finish(claim: KeyedClaim, writer: SegmentWriter, answer: RecordedAnswer): Promise<void> {
    const parts = answer.whole;
    const byteCount = parts?.reduce((sum, part) => sum + Buffer.byteLength(part), 0) ?? 0;
    const { digest } = claim.record;
    let isMine = true;
    try {
      if (parts !== undefined && this.#answersRoom.take(byteCount)) {
        isMine = await claim.end({ kind: "done", digest, parts }, KEYED_ANSWER_MS);
        this.#answersRoom.leave(byteCount);
      } else isMine = await claim.end({ kind: "free" }, KEYED_SILENCE_MS_MAX);
      if (isMine) await writer.forget();
    } catch (error) {
      this.#tell(error);
    }
    if (!isMine) throw takenOver();
  }

  /** What failed is forgotten; what was delivered of a request that its router could not finish is left to the next one. */
  async #giveUp(claim: KeyedClaim, writer: SegmentWriter, { code }: DroverError): Promise<void> {
    const isLeft = PASSING.has(code) && writer.isKept && writer.hasAny;
    const { routerId: _, ...record } = claim.record;
    try {
      const isMine = isLeft
        ? await claim.end(record, KEYED_ANSWER_MS)
        : await claim.end({ kind: "free" }, KEYED_SILENCE_MS_MAX);
      if (isMine && !isLeft) await writer.forget();
      else writer.leave();
    } catch (error) {
      writer.leave();
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    const { code, message } = toDroverError(error);
    this.#options.logger.warn("keyed_answers.not_kept", { code, reason: message });
  }
}

/** A tenant finds its own keys alone, and no key stands in the store as it is. Errors: `invalid_argument`. */
function nameOf({ owner, key }: KeyedRequest): string {
  if (key.length > IDEMPOTENCY_KEY_CHARACTERS_MAX || !/^[ -~]+$/.test(key))
    throw new DroverError(
      "invalid_argument",
      `an Idempotency-Key has 1 to ${IDEMPOTENCY_KEY_CHARACTERS_MAX} printable characters`,
    );
  return `keyed/${createHash("sha256")
    .update(JSON.stringify([owner, key]))
    .digest("hex")}`;
}

import { createHash } from "node:crypto";
import { type Clock, DroverError, type Logger, type PayloadStore, type RouterId } from "@drover/core";
import {
  IDEMPOTENCY_KEY_CHARACTERS_MAX,
  KEYED_ANSWERS_BYTES_MAX,
  KEYED_JOURNALS_BYTES_MAX,
  KEYED_WRITES_PER_SECOND_MAX,
} from "../limits.ts";
import { MemoryBudget } from "../memory/memory-budget.ts";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import { KeptRoom } from "./kept-room.ts";
import { KeyedKeys, notKept } from "./keyed-keys.ts";
import { KeyedWork, type KeyedWorkOptions, type KeyedWorkParts, type Make } from "./keyed-work.ts";
import type { Origin } from "./origin.ts";
import { RecordedAnswer } from "./recorded-answer.ts";

/** What a client says of a request that it may send twice. */
export type KeyedRequest = Readonly<{
  /** Whose it is: a tenant's name, empty for the house's own. */
  owner: string;
  key: string;
  /** Of its path and body. */
  digest: string;
  /** The last event that the client has; undefined for one that asks from the beginning. */
  lastEventId: string | undefined;
  /** It goes on whether anybody reads it or not. */
  isAwaited?: boolean;
}>;

type Running = Readonly<{ digest: string; answer: RecordedAnswer }>;

export type KeyedAnswersOptions = Readonly<{
  /** What counts the answers that are made or read; nothing else does unless given. */
  budget?: MemoryBudget;
  /** Whose calls end in time. */
  store: PayloadStore;
  routerId: RouterId;
  clock: Clock;
  logger: Logger;
  metrics: Pick<RouterMetrics, "keyedResumed" | "keyedUnkept">;
}>;

/**
 * Answers that were asked for with an `Idempotency-Key`: computed once, and given again to whoever asks the same with the same key, from any router,
 * for `KEYED_ANSWER_MS`; beside the payloads of waiting requests, where time ends them. What another router computes is given as that one delivers it,
 * and where it goes, this one goes on with it. A request that failed is forgotten, and may be tried again; one that its router could not finish is left to the next one.
 */
export class KeyedAnswers {
  readonly #keys: KeyedKeys;
  readonly #running = new Map<string, Running>();
  readonly #parts: KeyedWorkParts;
  readonly #budget: MemoryBudget;

  constructor(options: KeyedAnswersOptions) {
    const { store, routerId, clock } = options;
    this.#budget = options.budget ?? new MemoryBudget("answers", Number.POSITIVE_INFINITY);
    this.#keys = new KeyedKeys(store, routerId, clock);
    this.#parts = {
      ...options,
      keys: this.#keys,
      answersRoom: new KeptRoom(KEYED_ANSWERS_BYTES_MAX, clock),
      journalsRoom: new KeptRoom(KEYED_JOURNALS_BYTES_MAX, clock),
      pauseMs: () => Math.floor((this.#running.size * 1000) / KEYED_WRITES_PER_SECOND_MAX),
    };
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
    { digest, lastEventId, isAwaited }: KeyedRequest,
    newOrigin: () => Origin,
    make: Make,
    signal: AbortSignal,
  ): Promise<RecordedAnswer> {
    const answer = new RecordedAnswer(this.#budget);
    // Before anything is waited for: who comes meanwhile joins.
    this.#running.set(name, { digest, answer });
    try {
      const opened = await this.#keys.open(name, { digest, isRest: lastEventId !== undefined, newOrigin }, signal);
      if (opened.kind !== "done") void this.#run({ name, digest, opened, answer, isAwaited }, make);
      else {
        this.#checkRoom(opened.parts);
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

  /** An answer that is given again may wait for who asks later. Errors: `overloaded`. */
  #checkRoom(parts: readonly string[]): void {
    const byteCount = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    const budget = this.#budget;
    if (budget.byteCount + byteCount > budget.bytesMax) throw budget.refusal(byteCount);
  }

  async #run(options: Omit<KeyedWorkOptions, keyof KeyedWorkParts>, make: Make): Promise<void> {
    await new KeyedWork({ ...this.#parts, ...options }).run(make);
    this.#running.delete(options.name);
  }

  /** Whether a router is at it, this one or another that lives, or its answer is there. Errors: those of the store. */
  async isUnderWay(request: KeyedRequest, signal: AbortSignal): Promise<boolean> {
    const name = nameOf(request);
    if (this.#running.has(name)) return true;
    const record = (await this.#keys.find(name, signal))?.record;
    if (record?.kind === "running") return this.#keys.isElsewhere(record, signal);
    return record?.kind === "done";
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

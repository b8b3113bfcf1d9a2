import { createHash } from "node:crypto";
import { type Clock, DroverError, type Logger, neverAborted, type PayloadStore, toDroverError } from "@drover/core";
import {
  IDEMPOTENCY_KEY_CHARACTERS_MAX,
  KEYED_ALONE_MS_MAX,
  KEYED_ANSWER_MS,
  KEYED_ANSWERS_BYTES_MAX,
  KEYED_BEAT_MS,
  KEYED_SILENCE_MS_MAX,
} from "../limits.ts";
import { RecordedAnswer } from "./recorded-answer.ts";

/** What a client says of a request that it may send twice. */
export type KeyedRequest = Readonly<{
  /** Whose it is: a tenant's name, empty for the house's own. */
  owner: string;
  key: string;
  /** Of its path and body. */
  digest: string;
}>;

/** What is kept of a key; without `parts` another router is at it. */
type Kept = Readonly<{ digest: string; aliveAtMs: number; parts?: readonly string[] }>;

type Running = Readonly<{ digest: string; answer: RecordedAnswer }>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Makes an answer: pushes its parts, and ends when the signal aborts. Errors: what ends it. */
type Make = (answer: RecordedAnswer, signal: AbortSignal) => Promise<void>;

/**
 * Answers that were asked for with an `Idempotency-Key`: computed once, and given again to whoever asks the same with the same key, from any router,
 * for `KEYED_ANSWER_MS`; beside the payloads of waiting requests, where time ends them. A request that failed is forgotten, and may be tried again.
 */
export class KeyedAnswers {
  readonly #store: PayloadStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #running = new Map<string, Running>();
  /** Bytes that this router has put, and until when they lie there. */
  readonly #own: { byteCount: number; untilMs: number }[] = [];

  constructor(store: PayloadStore, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * The answer to a keyed request, from `make` where there is none yet. Errors: `invalid_argument` for a key that is none; `idempotency_key_reused`
   * where the key was another request's, `idempotency_key_in_use` where another router is computing it; those of the store.
   */
  async answer(request: KeyedRequest, make: Make, signal: AbortSignal): Promise<RecordedAnswer> {
    const name = nameOf(request);
    const running = this.#running.get(name);
    if (running !== undefined) return checked(request, running).answer;
    const answer = new RecordedAnswer();
    // Before anything is waited for: who comes meanwhile joins.
    this.#running.set(name, { digest: request.digest, answer });
    try {
      const kept = await this.#find(name, signal);
      if (kept !== undefined) {
        checked(request, kept);
        for (const part of kept.parts ?? []) answer.push(part);
        answer.end();
        this.#running.delete(name);
        return answer;
      }
      await this.#put(name, { digest: request.digest, aliveAtMs: this.#clock.now() }, signal);
    } catch (error) {
      this.#running.delete(name);
      answer.end(error);
      throw error;
    }
    void this.#run(name, request.digest, answer, make);
    return answer;
  }

  async #run(name: string, digest: string, answer: RecordedAnswer, make: Make): Promise<void> {
    const alone = new AbortController();
    let aloneSinceMs = this.#clock.monotonic();
    const look = setInterval(() => {
      if (answer.readerCount > 0) aloneSinceMs = this.#clock.monotonic();
      if (this.#clock.monotonic() - aloneSinceMs > KEYED_ALONE_MS_MAX)
        alone.abort(new DroverError("cancelled", "nobody reads the answer"));
      void this.#say(name, { digest, aliveAtMs: this.#clock.now() });
    }, KEYED_BEAT_MS);
    try {
      await make(answer, alone.signal);
      clearInterval(look);
      const parts = answer.whole;
      if (parts !== undefined && this.#hasRoom(parts)) await this.#say(name, { digest, aliveAtMs: 0, parts });
      else await this.#forget(name);
      answer.end();
    } catch (error) {
      clearInterval(look);
      await this.#forget(name);
      answer.end(error);
    } finally {
      this.#running.delete(name);
    }
  }

  async #find(name: string, signal: AbortSignal): Promise<Kept | undefined> {
    const bytes = await this.#store.get(name, signal);
    const kept = bytes && (JSON.parse(decoder.decode(bytes)) as Kept);
    if (kept === undefined || kept.parts !== undefined) return kept;
    // Its router has gone, and nobody else will answer.
    if (this.#clock.now() - kept.aliveAtMs > KEYED_SILENCE_MS_MAX) return undefined;
    return kept;
  }

  #put(name: string, kept: Kept, signal: AbortSignal): Promise<void> {
    const ttlMs = kept.parts === undefined ? KEYED_SILENCE_MS_MAX : KEYED_ANSWER_MS;
    return this.#store.put(name, encoder.encode(JSON.stringify(kept)), ttlMs, signal);
  }

  /** An answer is sent whether it could be kept or not. */
  async #say(name: string, kept: Kept): Promise<void> {
    await this.#put(name, kept, neverAborted).catch((error: unknown) => this.#tell(error));
  }

  async #forget(name: string): Promise<void> {
    await this.#store.delete([name], neverAborted).catch((error: unknown) => this.#tell(error));
  }

  #tell(error: unknown): void {
    const { code, message } = toDroverError(error);
    this.#logger.warn("keyed_answers.not_kept", { code, reason: message });
  }

  #hasRoom(parts: readonly string[]): boolean {
    const nowMs = this.#clock.monotonic();
    while ((this.#own[0]?.untilMs ?? nowMs + 1) <= nowMs) this.#own.shift();
    const byteCount = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    if (this.#own.reduce((sum, one) => sum + one.byteCount, byteCount) > KEYED_ANSWERS_BYTES_MAX) return false;
    this.#own.push({ byteCount, untilMs: nowMs + KEYED_ANSWER_MS });
    return true;
  }
}

function checked<T extends Readonly<{ digest: string; parts?: readonly string[]; answer?: RecordedAnswer }>>(
  { digest }: KeyedRequest,
  there: T,
): T {
  if (there.digest !== digest)
    throw new DroverError("idempotency_key_reused", "this Idempotency-Key was another request's: send a new one");
  if (there.answer === undefined && there.parts === undefined)
    throw new DroverError("idempotency_key_in_use", "another router is answering this Idempotency-Key: ask again", {
      retryAfterMs: KEYED_BEAT_MS,
    });
  return there;
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

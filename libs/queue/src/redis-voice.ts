import { type Logger, SaidReasons } from "@drover/core";
import { firstWords, replyCode } from "./redis-words.ts";

/** The server does not serve now what it served before: it was demoted, or loads its data. Another one has its name, or soon will. */
const LEAVES = new Set(["READONLY", "UNBLOCKED", "LOADING", "MASTERDOWN", "NOAUTH"]);

/** No write is taken until something changes there: its memory, its disk, its replicas. */
const REFUSES_WRITES = new Set(["OOM", "MISCONF", "NOREPLICAS"]);

/** Part of how a script is called. */
const ORDINARY = new Set(["NOSCRIPT", "EXECABORT"]);

/** What one Redis says of itself, over all connections to it: told in the log, each reason once until it has passed. */
export class RedisVoice {
  readonly #logger: Logger | undefined;
  readonly #said = new SaidReasons();
  readonly #onRefusal: () => void;
  #waiting = false;
  #refusal: string | undefined;

  /** `onRefusal` is called when writes begin to be refused. */
  constructor(logger: Logger | undefined, onRefusal: () => void) {
    this.#logger = logger;
    this.#onRefusal = onRefusal;
  }

  /** Why no write is taken; undefined while that is not known. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Takes an error reply. True where the connection should be opened anew, wherever the name leads then. */
  hear(error: Error): boolean {
    const code = replyCode(error);
    if (code === undefined || ORDINARY.has(code)) return false;
    const words = firstWords(error);
    if (LEAVES.has(code)) {
      this.waits(words);
      return true;
    }
    if (this.#said.isNew(words)) this.#logger?.warn("redis.refuses", { reason: words });
    if (REFUSES_WRITES.has(code) && this.#refusal === undefined) {
      this.#refusal = words;
      this.#onRefusal();
    }
    return false;
  }

  /** There is no connection that can be used. */
  waits(reason: string): void {
    if (this.#said.isNew(reason)) this.#logger?.warn("redis.waiting", { reason });
    this.#waiting = true;
  }

  /** A connection stands, to a server that takes commands. */
  ready(): void {
    if (this.#waiting) this.#logger?.info("redis.connected");
    this.#waiting = false;
    this.#said.clear();
  }

  /** A write was taken. */
  accepts(): void {
    if (this.#refusal === undefined) return;
    this.#refusal = undefined;
    this.#said.clear();
    this.#logger?.info("redis.accepts");
  }
}

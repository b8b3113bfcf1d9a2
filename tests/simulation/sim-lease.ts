import { DroverError, type JobLease, type QueueJob } from "@drover/core";
import type { SimProcess } from "@drover/testkit";
import type { TakenJob } from "./sim-redis.ts";
import { away, type RedisLink } from "./sim-redis-link.ts";

const EXTEND_MS = 10_000 / 3;

/** A taken job, whose lock is extended while it is held. */
export class SimLease implements JobLease {
  readonly job: QueueJob;
  readonly attempt: number;
  readonly #link: RedisLink;
  readonly #process: SimProcess;
  readonly #lock: number;
  readonly #lost = new AbortController();
  #isOver = false;
  #extendedMs: number;

  constructor(link: RedisLink, process: SimProcess, { job, attempt, lock }: TakenJob) {
    this.job = job;
    this.attempt = attempt;
    this.#link = link;
    this.#process = process;
    this.#lock = lock;
    this.#extendedMs = process.monotonic();
    process.after(EXTEND_MS, "", () => this.#extend());
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async complete(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#isOver = true;
    await this.#link.command(`complete ${this.#lock}`, (redis) => redis.complete(this.#lock)).catch(rethrown);
  }

  async release(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#isOver = true;
    await this.#link.command(`release ${this.#lock}`, (redis) => redis.release(this.#lock)).catch(rethrown);
  }

  #extend(): void {
    if (this.#isOver) return;
    const askedMs = this.#process.monotonic();
    if (askedMs - this.#extendedMs >= 3 * EXTEND_MS) {
      this.#lose();
      return;
    }
    this.#link
      .command(`extend ${this.#lock}`, (redis) => redis.extend(this.#lock))
      .then(
        (isHeld) => {
          if (isHeld) this.#extendedMs = askedMs;
          else this.#lose();
        },
        () => undefined,
      );
    this.#process.after(EXTEND_MS, "", () => this.#extend());
  }

  #lose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#lost.abort(new DroverError("unavailable", "the job's lock was lost"));
  }
}

const rethrown = (error: unknown): never => {
  throw away(error);
};

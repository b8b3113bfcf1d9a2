import { DroverError, type JobLease, type QueueJob } from "@drover/core";
import type { Job } from "bullmq";
import type { BullJobData } from "./bull-job.ts";
import { completeJob } from "./complete-job.ts";
import { overRedis } from "./redis.ts";

/** A taken BullMQ job: its lock is extended until it is completed or released, and `lost` aborts when that fails. */
export class HeldBullJob implements JobLease {
  readonly job: QueueJob;
  /**
   * Every delivery counts, released ones too: the number can only rise, whoever writes last. A number given back by an old holder, whose
   * lock was lost meanwhile, could be handed out twice.
   */
  readonly attempt: number;
  readonly #taken: Job<BullJobData>;
  readonly #token: string;
  readonly #lost = new AbortController();
  readonly #extension: NodeJS.Timeout;
  #extendedAt = performance.now();

  constructor(taken: Job<BullJobData>, token: string, job: QueueJob, lockMs: number) {
    this.job = job;
    this.#taken = taken;
    this.#token = token;
    this.attempt = job.attemptBase + taken.attemptsStarted - 1;
    this.#extension = setInterval(() => this.#extend(lockMs), lockMs / 3);
    this.#extension.unref();
  }

  #extend(lockMs: number): void {
    const asked = performance.now();
    // While Redis is away the call below waits; the lock runs out all the same.
    if (asked - this.#extendedAt >= lockMs) {
      this.#lose();
      return;
    }
    this.#taken.extendLock(this.#token, lockMs).then(
      (held) => {
        if (held === 0) this.#lose();
        else this.#extendedAt = asked;
      },
      () => undefined,
    );
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async complete(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    clearInterval(this.#extension);
    await overRedis(signal, () => completeJob(this.#taken, this.#token));
  }

  async release(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    clearInterval(this.#extension);
    await overRedis(signal, () => this.#taken.moveToWait(this.#token));
  }

  #lose(): void {
    clearInterval(this.#extension);
    this.#lost.abort(new DroverError("unavailable", "the job's lock was lost"));
  }
}

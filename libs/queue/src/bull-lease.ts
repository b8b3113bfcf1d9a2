import type { JobLease, QueueJob } from "@drover/core";
import type { Job } from "bullmq";
import { overRedis } from "./redis.ts";

/** What BullMQ stores: the job as bytes, and how often it was given back. */
export type BullJobData = { job: string; releaseCount: number };

/** A taken BullMQ job: its lock is extended until it is completed or released, and `lost` aborts when that fails. */
export class HeldBullJob implements JobLease {
  readonly job: QueueJob;
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
    // Every delivery counts as started, a release among them; it gives its number back.
    this.attempt = job.attemptBase + Math.max(0, taken.attemptsStarted - 1 - taken.data.releaseCount);
    this.#extension = setInterval(() => {
      taken.extendLock(token, lockMs).then(
        (held) => {
          if (held === 0) this.#lose();
          else this.#extendedAt = performance.now();
        },
        // Redis may be away for a moment; the lock is lost when it could not be extended for its whole length.
        () => {
          if (performance.now() - this.#extendedAt > lockMs) this.#lose();
        },
      );
    }, lockMs / 3);
    this.#extension.unref();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async complete(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    clearInterval(this.#extension);
    await overRedis(() => this.#taken.moveToCompleted(null, this.#token, false));
  }

  async release(signal: AbortSignal, delivery: "unused" | "spent" = "unused"): Promise<void> {
    signal.throwIfAborted();
    clearInterval(this.#extension);
    await overRedis(async () => {
      if (delivery === "unused") {
        await this.#taken.updateData({ ...this.#taken.data, releaseCount: this.#taken.data.releaseCount + 1 });
      }
      await this.#taken.moveToWait(this.#token);
    });
  }

  #lose(): void {
    clearInterval(this.#extension);
    this.#lost.abort(new Error("the job's lock was lost"));
  }
}

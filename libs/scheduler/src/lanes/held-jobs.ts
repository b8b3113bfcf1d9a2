import type { RequestId } from "@drover/core";
import type { HeldJob } from "./held-job.ts";

/**
 * Jobs that a lane has taken and that have no worker yet, in the order in which they are tried: those that were added to the front, whose clients wait in the middle of
 * an answer, and then the others, either in the order in which they were taken.
 */
export class HeldJobs {
  #jobs: HeldJob[] = [];

  get count(): number {
    return this.#jobs.length;
  }

  /** The first one, where it was added to the front. */
  get front(): RequestId | undefined {
    const job = this.#jobs[0]?.lease.job;
    return job?.front === true ? job.requestId : undefined;
  }

  /** The first one that was not. */
  get firstOfOthers(): RequestId | undefined {
    return this.#jobs.find(({ lease }) => !lease.job.front)?.lease.job.requestId;
  }

  /** Since when the one that was taken first is held; undefined where none is. */
  get sinceMs(): number | undefined {
    return this.#jobs.length === 0 ? undefined : Math.min(...this.#jobs.map(({ heldSinceMs }) => heldSinceMs));
  }

  add(held: HeldJob): void {
    const index = this.#jobs.findIndex((other) => goesBefore(held, other));
    this.#jobs.splice(index < 0 ? this.#jobs.length : index, 0, held);
  }

  /** All of them, in their order; none is held any more. */
  takeAll(): readonly HeldJob[] {
    return this.#jobs.splice(0);
  }
}

function goesBefore(one: HeldJob, other: HeldJob): boolean {
  const [isFront, otherIsFront] = [one.lease.job.front, other.lease.job.front];
  return isFront === otherIsFront ? one.heldSinceMs < other.heldSinceMs : isFront;
}

import type { Clock, JobLease, Tracer, TraceSpan, WorkerId } from "@drover/core";
import type { HeldJob } from "./held-job.ts";
import type { AttemptOutcome } from "./placement-attempt.ts";
import type { ChosenWorker } from "./placer.ts";

/** Of a traced request: its wait in the queue, and its placement from the moment in which it was taken. */
export class PlacementTrace {
  readonly #tracer: Tracer;
  readonly #clock: Clock;

  constructor(tracer: Tracer, clock: Clock) {
    this.#tracer = tracer;
    this.#clock = clock;
  }

  /** A worker is asked: the span that it hears of. Undefined for most requests, which nobody traces. */
  placing({ lease, heldSinceMs }: HeldJob, { workerId, cachedTokenCount }: ChosenWorker): TraceSpan | undefined {
    const { job, attempt } = lease;
    return this.#tracer.join("place", job.trace, {
      kind: "consumer",
      beganAtMs: this.#wallMs(heldSinceMs),
      attributes: {
        "drover.request": job.requestId,
        "drover.attempt": attempt,
        "drover.worker": workerId,
        "drover.cached_tokens_expected": cachedTokenCount,
      },
    });
  }

  /** What came of it. An accepted job's wait is over, so that it is known. */
  placed(span: TraceSpan | undefined, held: HeldJob, worker: WorkerId, outcome: AttemptOutcome): void {
    if (span === undefined) return;
    if (outcome.kind === "refused" || outcome.kind === "unknown") {
      // Another worker is tried: the request has not failed.
      span.attributes({ "drover.refused_by": worker, "drover.refusal": outcome.code });
    }
    span.end(outcome.kind === "drop" ? (outcome.reason === "cancelled" ? "cancelled" : "unavailable") : undefined);
    if (outcome.kind !== "accepted") return;
    this.#waited(held.lease, this.#wallMs(held.heldSinceMs));
  }

  #waited({ job, attempt }: JobLease, takenAtMs: number): void {
    // The router's clock may be ahead of this one.
    const beganAtMs = Math.min(job.enqueuedAtMs, takenAtMs);
    const attributes = { "drover.lane": job.lane, "drover.attempt": attempt, "drover.front": job.front };
    this.#tracer.join("queue", job.trace, { beganAtMs, attributes })?.end(undefined, takenAtMs);
  }

  #wallMs(monotonicMs: number): number {
    return this.#clock.now() - (this.#clock.monotonic() - monotonicMs);
  }
}

import type { Clock, JobLease, Lane, ModelId, RequestId, WorkerId } from "@drover/core";
import { Claims, hasRoom, type PlacementDecision, placeRequest } from "@drover/fleet";
import type { PrefixDirectory } from "../fleet/prefix-directory.ts";
import type { Capacities } from "./capacities.ts";
import type { DecisionLog } from "./decision-log.ts";
import { placeable } from "./held-job.ts";

/** A worker that a request goes to, and what is predicted of it there. */
export type ChosenWorker = Extract<PlacementDecision, { kind: "worker" }>;

export type PlacerOptions = Readonly<{
  modelId: ModelId;
  /** A worker gets nothing that it is predicted to begin later than this. */
  beginWithinMs: number;
  capacities: Capacities;
  prefixes: PrefixDirectory;
  decisions: DecisionLog;
  clock: Clock;
}>;

/** Decides for all lanes: what is known of workers, caches and claims, put before `placeRequest`. */
export class Placer {
  readonly #options: PlacerOptions;
  readonly #claims = new Claims();

  constructor(options: PlacerOptions) {
    this.#options = options;
  }

  /** Whether a small request of the lane would find a place. */
  hasRoom(lane: Lane): boolean {
    const { capacities, modelId, clock, beginWithinMs } = this.#options;
    const now = clock.monotonic();
    const isClaimed = (worker: WorkerId) => this.#claims.isClaimed(worker, lane, now);
    return hasRoom(capacities.list(now), modelId, { beginWithinMs, isClaimed });
  }

  /** Whether anybody serves at all. */
  hasWorker(): boolean {
    const { capacities, clock } = this.#options;
    return capacities.list(clock.monotonic()).some(({ available }) => available);
  }

  /** Decides and remembers why; where a worker is chosen, its room is reserved. `insists`: what comes free is kept for this request. */
  decide(lease: JobLease, insists: boolean): PlacementDecision {
    const { capacities, prefixes, decisions, clock, beginWithinMs } = this.#options;
    const { job } = lease;
    const now = clock.monotonic();
    const decision = placeRequest(capacities.list(now), placeable(job), {
      beginWithinMs,
      insists,
      isResumed: job.front,
      cachedTokenCount: prefixes.lookup(job),
      coming: prefixes.coming(job, now),
      // What is kept for another lane's request is not kept from one that had its room until its worker was lost.
      isClaimed: (worker) => !job.front && this.#claims.isClaimed(worker, job.lane, now),
    });
    decisions.record(lease, decision, clock.now());
    if (decision.kind === "worker") {
      capacities.reserve(decision.workerId, job.requestId, decision);
      prefixes.placed(job, decision.candidate, now);
    }
    if (decision.kind === "wait" && decision.claim !== undefined && insists) {
      const claim = this.#claims.of(job.lane);
      // It stays with the worker that it has been waiting for, as long as that one is there.
      const stays = claim?.requestId === job.requestId && capacities.isAvailable(claim.workerId, now);
      if (!stays) this.#claims.claim(job.lane, job.requestId, decision.claim, now);
    }
    return decision;
  }

  /** The worker that was chosen did not take the request. */
  release(worker: WorkerId, request: RequestId): void {
    this.#options.capacities.release(worker, request);
    this.#options.prefixes.release(worker, request);
  }

  /** The lane insists on nothing, or on this request only. */
  releaseClaim(lane: Lane, except?: string): void {
    if (this.#claims.of(lane)?.requestId !== except) this.#claims.release(lane);
  }
}

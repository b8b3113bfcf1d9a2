import {
  assertNever,
  type Clock,
  type JobLease,
  type Lane,
  neverAborted,
  noTracer,
  restOfPeriod,
  type Tracer,
  toDroverError,
  Wakeup,
  type WorkerId,
  withTimeout,
} from "@drover/core";
import type { Member } from "@drover/fleet";
import type { Routers } from "../fleet/routers.ts";
import {
  FRONT_LEASES_HELD_MAX,
  HELD_POLL_MS,
  HOLD_MS_MAX,
  IDLE_POLL_MS,
  LEASES_HELD_MAX,
  OVERTAKE_MS_MAX,
  QUEUE_CALL_LIMIT,
  QUEUE_RETRY_MS,
  REFUSED_PAUSE_MS,
  UNREACHABLE_PAUSE_MS,
} from "../limits.ts";
import type { SchedulerMetrics } from "../scheduler-metrics.ts";
import type { Capacities } from "./capacities.ts";
import type { DecisionLog } from "./decision-log.ts";
import type { DropReason, HeldJob } from "./held-job.ts";
import { HeldJobs } from "./held-jobs.ts";
import { type AttemptOutcome, type AttemptPorts, attemptPlacement, outcomeText } from "./placement-attempt.ts";
import { PlacementTrace } from "./placement-trace.ts";
import type { ChosenWorker, Placer } from "./placer.ts";

export type LanePlacerOptions = AttemptPorts &
  Readonly<{
    lane: Lane;
    capacities: Capacities;
    placer: Placer;
    decisions: DecisionLog;
    member: (worker: WorkerId) => Member | undefined;
    routers: Routers;
    clock: Clock;
    tracer?: Tracer;
    metrics: SchedulerMetrics;
    /** A worker has accepted a job of the lane. */
    onPlaced: (lane: Lane) => void;
  }>;

/**
 * One lane's way from the queue to the workers. Jobs are taken while some worker has room, and the first one even without, so that it is
 * known what the lane waits for. One that finds no room is held while those behind it are tried, for a bounded time and number, and then
 * given back; when it was passed over for too long, it claims the room that comes free on one worker, from the other lanes too.
 *
 * A job that was added to the front has lost its worker in the middle of an answer: it is taken whatever the others wait for, tried before them, and claims room at once.
 */
export class LanePlacer {
  readonly #options: LanePlacerOptions;
  readonly #trace: PlacementTrace;
  readonly #wakeup = new Wakeup();
  readonly #held = new HeldJobs();
  readonly #placing = new Set<Promise<void>>();
  /** Whether its last round would have placed a job. */
  #foundRoom = false;
  /** The queue has failed: nothing that needs it is begun before, however often the lane is woken. */
  #retryAtMs = Number.NEGATIVE_INFINITY;
  /** The job that is first of those held, and since when it is passed over. */
  #passedOver: Readonly<{ requestId: string; sinceMs: number }> | undefined;

  constructor(options: LanePlacerOptions) {
    this.#options = options;
    this.#trace = new PlacementTrace(options.tracer ?? noTracer, options.clock);
  }

  /** Leases that this lane holds: they wait as much as what is in the queue. */
  get heldCount(): number {
    return this.#held.count + this.#placing.size;
  }

  /** A job may have come, or room for one. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** There may be room where there was none: nothing to somebody who waits for jobs alone. */
  wakeForRoom(): void {
    if (this.heldCount > 0 || !this.#foundRoom) this.#wakeup.wake();
  }

  /** Places until the signal aborts; then what is not placed goes back, and placements under way are waited for. Never rejects but for bugs. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, lane } = this.#options;
    while (!signal.aborted) {
      let sleepMs: number;
      try {
        sleepMs = await this.#round(signal);
      } catch (error) {
        if (signal.aborted) break;
        const { code, message } = toDroverError(error);
        logger.warn("queue.failed", { lane, code, message });
        sleepMs = this.#noteQueueFailed();
      }
      if (sleepMs > 0) await this.#wakeup.wait(sleepMs, clock, signal);
    }
    await this.#releaseHeld();
    await Promise.all(this.#placing);
    // Those that were refused meanwhile.
    await this.#releaseHeld();
  }

  /** How long to sleep before the next round if nothing happens. */
  async #round(signal: AbortSignal): Promise<number> {
    const { queue, lane, clock } = this.#options;
    const awayMs = this.#retryAtMs - clock.monotonic();
    if (awayMs > 0) return awayMs;
    this.#placeHeld();
    const sinceMs = this.#held.sinceMs;
    if (sinceMs !== undefined && clock.monotonic() - sinceMs >= HOLD_MS_MAX) await this.#releaseHeld();
    const takes = this.#takes();
    if (takes === "none") return HELD_POLL_MS;
    const lease = await (takes === "any" ? queue.take(lane, signal) : queue.take(lane, signal, "front"));
    if (lease === undefined)
      return this.#held.count > 0 || takes === "front" ? HELD_POLL_MS : restOfPeriod(clock.monotonic(), IDLE_POLL_MS);
    this.#held.add({ lease, heldSinceMs: clock.monotonic() });
    return 0;
  }

  /** What may be taken now. */
  #takes(): "any" | "front" | "none" {
    const { placer, lane } = this.#options;
    const hasWorker = placer.hasWorker();
    this.#foundRoom = placer.hasRoom(lane) || (this.heldCount === 0 && hasWorker);
    if (this.#foundRoom && this.heldCount < LEASES_HELD_MAX && !this.#overtakingEnds()) return "any";
    return hasWorker && this.heldCount < LEASES_HELD_MAX + FRONT_LEASES_HELD_MAX ? "front" : "none";
  }

  /** Returns how long it is left alone. A queue that is away refuses at once: asked again at once, it would never get the time to come back. */
  #noteQueueFailed(): number {
    this.#retryAtMs = this.#options.clock.monotonic() + QUEUE_RETRY_MS;
    return QUEUE_RETRY_MS;
  }

  #overtakingEnds(): boolean {
    const first = this.#held.firstOfOthers;
    if (first === undefined || first !== this.#passedOver?.requestId) return false;
    return this.#options.clock.monotonic() - this.#passedOver.sinceMs >= OVERTAKE_MS_MAX;
  }

  #placeHeld(): void {
    const { clock, routers, placer } = this.#options;
    const now = clock.monotonic();
    const overtakingEnds = this.#overtakingEnds();
    const waiting: HeldJob[] = [];
    let othersWait = false;
    // A job that was added to the front waits for room: what comes free is its own.
    let frontWaits = false;
    for (const held of this.#held.takeAll()) {
      const { lease } = held;
      const { job } = lease;
      if (lease.lost.aborted) continue;
      if (clock.now() >= job.deadlineMs) this.#start(this.#drop(lease, "expired"));
      else if (routers.isGone(job.routerId, now)) this.#start(this.#drop(lease, "router_gone"));
      else if (!job.front && (frontWaits || (othersWait && overtakingEnds))) waiting.push(held);
      else {
        const decision = placer.decide(lease, job.front ? !frontWaits : !othersWait && overtakingEnds);
        if (decision.kind === "wait") {
          waiting.push(held);
          if (!job.front) othersWait = true;
          else if (decision.claim !== undefined) frontWaits = true;
        } else if (decision.kind === "never") this.#start(this.#drop(lease, "never_fits", decision.reason));
        else if (decision.kind === "worker") this.#start(this.#place(held, decision));
        else assertNever(decision);
      }
    }
    for (const held of waiting) this.#held.add(held);
    this.#notePassedOver(now);
  }

  #notePassedOver(now: number): void {
    const requestId = this.#held.firstOfOthers;
    // A lease that was given back is taken again first of its lane: its time goes on.
    if (requestId !== undefined && requestId !== this.#passedOver?.requestId) {
      this.#passedOver = { requestId, sinceMs: now };
    }
    // One that was given back keeps its claim until another one is the lane's first.
    this.#options.placer.releaseClaim(this.#options.lane, this.#held.front ?? this.#passedOver?.requestId);
  }

  /** Runs beside the loop, counted in `heldCount`. */
  #start(work: Promise<void>): void {
    const done = work.finally(() => {
      this.#placing.delete(done);
      this.#wakeup.wake();
    });
    this.#placing.add(done);
  }

  async #place(held: HeldJob, chosen: ChosenWorker): Promise<void> {
    const { logger, member, placer } = this.#options;
    const { lease } = held;
    const { requestId } = lease.job;
    const worker = chosen.workerId;
    if (this.#passedOver?.requestId === requestId) this.#passedOver = undefined;
    const span = this.#trace.placing(held, chosen);
    try {
      const address = member(worker)?.profile.address;
      const outcome: AttemptOutcome =
        address === undefined
          ? { kind: "refused", code: "unavailable" }
          : await attemptPlacement(this.#options, lease, worker, address, span?.context);
      this.#trace.placed(span, held, worker, outcome);
      if (outcome.kind !== "accepted") placer.release(worker, requestId);
      await this.#conclude(held, chosen, outcome);
    } catch (error) {
      // The queue or the store failed: the lease is held on, or lost and delivered again.
      placer.release(worker, requestId);
      const { code, message } = toDroverError(error);
      span?.end(code);
      logger.warn("queue.failed", { request: requestId, code, message });
      this.#noteQueueFailed();
      if (!lease.lost.aborted) this.#held.add(held);
    }
  }

  async #conclude(held: HeldJob, chosen: ChosenWorker, outcome: AttemptOutcome): Promise<void> {
    const { capacities, clock, decisions, metrics } = this.#options;
    const { lease } = held;
    const worker = chosen.workerId;
    decisions.conclude(lease.job.requestId, outcomeText(outcome));
    switch (outcome.kind) {
      case "accepted":
        this.#accepted(lease, chosen);
        return this.#settle(lease, "complete", (signal) => lease.complete(signal));
      case "refused":
        metrics.refused(outcome.code);
        // Whatever it said, it lives.
        capacities.pause(worker, clock.monotonic() + REFUSED_PAUSE_MS);
        this.#held.add(held);
        return;
      case "unknown":
        metrics.refused(outcome.code);
        capacities.pause(worker, clock.monotonic() + UNREACHABLE_PAUSE_MS);
        return this.#settle(lease, "release", (signal) => lease.release(signal, "spent"));
      case "drop":
        return this.#drop(lease, outcome.reason);
      default:
        return assertNever(outcome);
    }
  }

  #accepted({ job, attempt }: JobLease, chosen: ChosenWorker): void {
    const { capacities, clock, logger, metrics, onPlaced } = this.#options;
    const { requestId, promptTokenCount, lane, front } = job;
    const { workerId, cachedTokenCount } = chosen;
    capacities.accept(workerId, requestId, { promptTokenCount, cachedTokenCount }, clock.monotonic());
    const waitedMs = clock.now() - job.enqueuedAtMs;
    metrics.placed(job, chosen, waitedMs);
    onPlaced(lane);
    // Of requests that go on elsewhere all is told: their clients wait.
    const facts = { request: requestId, attempt, worker: workerId, lane, waited_ms: waitedMs };
    if (front) logger.info("request.placed", facts);
    else logger.debug("request.placed", facts);
  }

  async #drop(lease: JobLease, reason: DropReason, detail?: string): Promise<void> {
    const { logger, metrics } = this.#options;
    const { requestId, routerId, lane } = lease.job;
    logger.info("request.dropped", { request: requestId, router: routerId, lane, reason, detail });
    metrics.dropped(reason);
    await this.#settle(lease, "complete", (signal) => lease.complete(signal));
  }

  /** Last taken first, so that the lane has its order again. */
  async #releaseHeld(): Promise<void> {
    for (const { lease } of this.#held.takeAll().toReversed()) {
      if (!lease.lost.aborted) await this.#settle(lease, "release", (signal) => lease.release(signal));
    }
  }

  /** A lease whose end cannot be told to the queue runs out by itself, and the job is delivered again with a newer number. */
  async #settle(
    lease: JobLease,
    verb: "complete" | "release",
    settle: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    try {
      await withTimeout(QUEUE_CALL_LIMIT, this.#options.clock, neverAborted, settle);
    } catch (error) {
      const { code, message } = toDroverError(error);
      const { requestId: request } = lease.job;
      this.#options.logger.warn("lease.failed", { request, attempt: lease.attempt, verb, code, message });
    }
  }
}

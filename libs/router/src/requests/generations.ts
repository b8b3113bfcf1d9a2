import {
  DroverError,
  type Logger,
  type QueueProducer,
  type RequestEvent,
  type RequestId,
  type Resume,
  TransientMap,
  toDroverError,
} from "@drover/core";
import type { InferenceRequest } from "@drover/openai";
import { ANYBODY } from "../api-keys.ts";
import { PROMPT_TOKEN_DEADLINE_MS, QUEUE_CALL_LIMIT, REQUEST_DEADLINE_MS, RETRY_AFTER_MS } from "../limits.ts";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import { type AddAgain, addFirst } from "./first-add.ts";
import { CLIENT_LEFT, Generation, type KeyedPart } from "./generation.ts";
import { JobBatcher } from "./job-batcher.ts";
import { LostJobs } from "./lost-jobs.ts";
import type { Permit } from "./permit.ts";
import { QueueCancels } from "./queue-cancels.ts";
import { Recovery } from "./recovery.ts";
import { addJob, deletePayloads, type JobOptions } from "./request-job.ts";
import type { WorkerKey } from "./request-state.ts";
import { RequestTimer } from "./request-timer.ts";
import type { TenantUsage } from "./tenant-usage.ts";
import { faultOf } from "./worker-fault.ts";

export type GenerationsOptions = JobOptions &
  Readonly<{
    queue: QueueProducer;
    logger: Logger;
    metrics: RouterMetrics;
    newRequestId: () => RequestId;
    /** Counts what tenants use. */
    usage?: TenantUsage | undefined;
    /** Tells a worker, or all of them when nobody knows who has it, that attempts up to this one must end. */
    cancelAt: (worker: WorkerKey | undefined, requestId: RequestId, attempt: number, force?: boolean) => void;
  }>;

type OpeningPermit = Pick<Permit, "arrivedMs" | "trace"> & Partial<Pick<Permit, "name" | "account" | "memory">>;

/** All requests that this router holds: adds them to the queue, takes their events, adds them again when their worker is lost. */
export class Generations {
  readonly #options: GenerationsOptions;
  readonly #jobs: JobBatcher;
  readonly #cancels: QueueCancels;
  readonly #lost: LostJobs;
  readonly #recovery: Recovery;
  readonly #running = new TransientMap<string, { generation: Generation; timer: RequestTimer }>();

  constructor(options: GenerationsOptions) {
    this.#options = options;
    const { clock, logger, metrics, cancelAt } = options;
    this.#jobs = new JobBatcher(options.queue, clock);
    this.#cancels = new QueueCancels({ queue: options.queue, clock, logger });
    this.#lost = new LostJobs({
      queue: options.queue,
      clock,
      running: () => [...this.#running.values()].map(({ generation }) => generation),
      onLost: (generation) => this.#recovery.addAgain(generation, "queue_lost"),
    });
    this.#recovery = new Recovery({
      clock,
      logger,
      metrics,
      cancelAt,
      add: (generation) => this.#add(generation, true),
      complete: (generation) => this.#complete(generation, 0),
      fail: (generation, error) => this.#fail(generation, error),
    });
  }

  get count(): number {
    return this.#running.size;
  }

  /** Those that a worker has begun. */
  get begunCount(): number {
    let count = 0;
    for (const { generation } of this.#running.values()) if (generation.state.owner !== undefined) count += 1;
    return count;
  }

  /** Takes a request among those of this router; it must be begun then. Errors: the signal's reason, where the client has left. */
  open(request: InferenceRequest, permit: OpeningPermit, client: AbortSignal, keyed?: KeyedPart): Generation {
    client.throwIfAborted();
    const generation = this.prepare(request, permit, keyed);
    this.enlist(generation, permit, client);
    return generation;
  }

  /** A request that is none of this router's yet. */
  prepare(request: InferenceRequest, permit: OpeningPermit, keyed?: KeyedPart): Generation {
    const { trace, name, account = ANYBODY, memory } = permit;
    const { clock, model, newRequestId } = this.#options;
    const deadlineMs = clock.now() + REQUEST_DEADLINE_MS + PROMPT_TOKEN_DEADLINE_MS * request.promptTokenIds.length;
    const requestId = keyed?.isFirst ? keyed.replyId : newRequestId();
    const generation = new Generation(requestId, request, { tokenizer: model.tokenizer, deadlineMs, keyed, memory });
    generation.trace = trace;
    generation.name = name;
    generation.account = account;
    return generation;
  }

  /** Takes a prepared request among those of this router; it must be begun then. */
  enlist(generation: Generation, { arrivedMs, trace }: OpeningPermit, client: AbortSignal): void {
    const { clock, metrics } = this.#options;
    trace?.named(generation);
    this.#running.set(generation.requestId, { generation, timer: new RequestTimer(metrics, clock, arrivedMs) });
    const leave = () => this.cancel(generation);
    client.addEventListener("abort", leave, { once: true });
    generation.ended.addEventListener("abort", () => client.removeEventListener("abort", leave), { once: true });
  }

  /**
   * Puts a request into the queue, again where `again` says so; one that was restored to its end needs none. Errors: `unavailable` or `overloaded` from the
   * queue or the vision workers, and then nothing is left of it; why it has ended, where it has.
   */
  async begin(generation: Generation, again: AddAgain): Promise<void> {
    generation.failed.throwIfAborted();
    if (generation.state.finished) return this.#complete(generation, 0);
    generation.adding = true;
    let attempt: number;
    try {
      attempt = await addFirst(generation, (one, limit) => this.#add(one, false, limit), again);
    } catch (error) {
      const fault = toDroverError(error);
      this.#fail(generation, fault);
      throw fault;
    } finally {
      generation.adding = false;
    }
    // A worker may have taken and lost it before the add was confirmed.
    if (generation.state.attemptBase > attempt) this.#recovery.begin(generation, "worker_failed");
  }

  /** The client is gone or too slow: work stops at the worker and in the queue. */
  cancel(generation: Generation, error = CLIENT_LEFT): void {
    this.#fail(generation, error);
  }

  /** Takes one event of a worker's stream, which came at `atMs` on the clock's monotonic scale. */
  take(worker: WorkerKey, event: RequestEvent, atMs: number): void {
    const { metrics, cancelAt } = this.#options;
    const running = this.#running.get(event.requestId);
    if (running === undefined) {
      if (event.event.kind !== "done" && event.event.kind !== "failed")
        cancelAt(worker, event.requestId, event.attempt, event.event.kind === "started");
      return;
    }
    const { generation, timer } = running;
    const decision = generation.state.apply(worker, event);
    switch (decision.kind) {
      case "ignored":
        return;
      case "stale":
        metrics.staleEvent();
        cancelAt(worker, generation.requestId, event.attempt, event.event.kind === "started");
        return;
      case "started":
        if (decision.replaced !== undefined)
          cancelAt(decision.replaced.worker, generation.requestId, decision.replaced.attempt);
        return;
      case "prompt":
        if (!generation.takePrompt(decision.prompt, decision.skip)) this.#tooSlow(generation);
        return;
      case "token":
        timer.token(atMs);
        generation.trace?.token();
        this.#options.usage?.generated(generation.account, 1, atMs);
        if (!generation.takeToken(decision.token)) this.#tooSlow(generation);
        else if (generation.state.cutShort && generation.state.finished) this.#stopped(generation);
        return;
      case "gap":
        this.#recovery.addAgain(generation, "token_gap");
        return;
      case "handed_back":
        this.#recovery.addAgain(generation, "handed_back");
        return;
      case "failed":
        if (decision.retryable) this.#recovery.addAgain(generation, "worker_failed");
        else this.#fail(generation, faultOf(decision, generation.request));
        return;
      case "done":
        this.#complete(generation, decision.cachedTokenCount);
    }
  }

  /** The worker will not come back: each of its requests goes on elsewhere. What nobody is known to have begun, it may have accepted. */
  workerLost(worker: WorkerKey): void {
    for (const { generation } of [...this.#running.values()]) {
      if (generation.state.owner?.worker === worker) this.#recovery.addAgain(generation, "worker_lost");
      else if (generation.state.owner === undefined && !generation.adding) this.#recovery.suspect(generation);
    }
  }

  /** The worker has ended in order: it handed back what it had, so that nothing else of it can be missing. */
  workerLeft(worker: WorkerKey): void {
    for (const { generation } of [...this.#running.values()])
      if (generation.state.owner?.worker === worker) this.#recovery.addAgain(generation, "handed_back");
  }

  /** The queue went with the old leader: what no worker has begun is added again. */
  queueLost(): void {
    for (const { generation } of [...this.#running.values()]) {
      if (generation.state.owner === undefined && !generation.adding)
        this.#recovery.addAgain(generation, "leader_changed");
    }
  }

  /** What the router still waits for from this worker: its own requests, and those that nobody is known to have begun. */
  resumes(worker: WorkerKey): Resume[] {
    const resumes: Resume[] = [];
    for (const { generation } of this.#running.values()) {
      const { state, requestId } = generation;
      if (state.owner !== undefined && state.owner.worker !== worker) continue;
      resumes.push({
        requestId,
        attempt: state.owner?.attempt ?? state.attemptBase,
        nextIndices: state.choices.map(({ tokenIds }) => tokenIds.length),
        nextPromptPosition: state.nextPromptPosition,
        started: state.owner !== undefined,
      });
    }
    return resumes;
  }

  /** Ends what is past its deadline, and tries again what the queue did not take. */
  sweep(nowMs: number): void {
    this.#cancels.retry(nowMs);
    this.#lost.sweep();
    for (const { generation } of [...this.#running.values()]) {
      if (nowMs >= generation.deadlineMs)
        this.cancel(generation, new DroverError("deadline_exceeded", "the request took too long"));
      else this.#recovery.addUnbegun(generation, nowMs);
    }
  }

  /** The router ends: every client gets an error. */
  close(): void {
    for (const { generation } of [...this.#running.values()])
      this.cancel(
        generation,
        new DroverError("unavailable", "the router has ended; ask again, and another one answers", {
          retryAfterMs: RETRY_AFTER_MS,
        }),
      );
  }

  async #add(generation: Generation, front: boolean, limit = QUEUE_CALL_LIMIT): Promise<void> {
    await addJob(generation, front, limit, this.#jobs, this.#options);
    generation.addedAtMs = this.#options.clock.monotonic();
  }

  #tooSlow(generation: Generation): void {
    this.#options.metrics.slowReader();
    this.cancel(generation, new DroverError("cancelled", "the client reads too slowly"));
  }

  /** Every choice has ended, one of them by a stop string that its worker does not know of: it need not go on. */
  #stopped(generation: Generation): void {
    this.#stopEverywhere(generation);
    this.#complete(generation, 0);
  }

  #stopEverywhere(generation: Generation): void {
    const { state, requestId, deadlineMs } = generation;
    this.#options.cancelAt(state.owner?.worker, requestId, state.attemptMax);
    this.#cancels.cancel(requestId, deadlineMs);
  }

  #complete(generation: Generation, cachedTokenCount: number): void {
    const timer = this.#forget(generation);
    timer?.completed(generation, cachedTokenCount);
    generation.trace?.completed(cachedTokenCount);
    this.#options.usage?.prompt(generation.account, generation.request.promptTokenIds.length, cachedTokenCount);
    generation.complete(cachedTokenCount);
  }

  #fail(generation: Generation, error: DroverError): void {
    const timer = this.#forget(generation);
    if (timer === undefined) return;
    timer.failed(error.code);
    generation.trace?.failed(error.code);
    // Whatever the error: an attempt may wait in the queue or run at a worker.
    this.#stopEverywhere(generation);
    generation.fail(error);
  }

  #forget(generation: Generation): RequestTimer | undefined {
    const running = this.#running.take(generation.requestId);
    deletePayloads(generation, this.#options);
    return running?.timer;
  }
}

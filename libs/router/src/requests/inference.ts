import { randomInt } from "node:crypto";
import {
  at,
  type Clock,
  DroverError,
  type Lane,
  type Logger,
  noTracer,
  type TimeLimit,
  type Tracer,
  toDroverError,
} from "@drover/core";
import {
  fit,
  type GenerationQuery,
  type InferenceRequest,
  type ModelFacts,
  type PromptQuery,
  type ReplyOptions,
} from "@drover/openai";
import type { Account } from "@drover/tenants";
import { ANYBODY } from "../api-keys.ts";
import type { ClusterWatch } from "../cluster/cluster-watch.ts";
import type { KeyedRun } from "../keyed/keyed-run.ts";
import { openRun } from "../keyed/open-run.ts";
import { type Origin, originOfPrompt } from "../keyed/origin.ts";
import { QUEUE_CALL_LIMIT, QUEUE_RETRY_MS, RETRY_AFTER_MS, RETRY_AFTER_MS_MAX } from "../limits.ts";
import type { RouterMetrics } from "../metrics/router-metrics.ts";
import type { Readiness } from "../readiness.ts";
import { modelFacts, type ServedModel } from "../served-model.ts";
import type { Admission } from "./admission.ts";
import { allOrNone } from "./all-or-none.ts";
import type { KeyedPart } from "./generation.ts";
import { GenerationBatch } from "./generation-batch.ts";
import type { Generations } from "./generations.ts";
import type { Permit } from "./permit.ts";
import { PromptPreparer } from "./prompt-preparer.ts";
import { ReadyGate } from "./ready-gate.ts";
import { refusal } from "./refusal.ts";
import { laneOf, QueueAway } from "./request-job.ts";
import type { RequestNames } from "./request-names.ts";
import { type Incoming, RequestTrace } from "./request-trace.ts";
import { checkModel, takeLimits } from "./tenant-limits.ts";
import type { TenantUsage } from "./tenant-usage.ts";
import { truncatedPrompt } from "./truncated-prompt.ts";

export type InferenceOptions = Readonly<{
  model: ServedModel;
  generations: Generations;
  names: Pick<RequestNames, "add">;
  admission: Admission;
  cluster: Pick<ClusterWatch, "contextTokensMax" | "predictedWaitMs" | "noteAdded" | "state">;
  readiness: Pick<Readiness, "serves" | "takes">;
  /** A request that is predicted to wait longer for a worker is refused. */
  queueWaitMsMax: number;
  /** A request that comes while the cluster cannot serve, or its queue takes nothing, waits so long for that to end. */
  readyWaitMsMax: number;
  clock: Clock;
  logger: Logger;
  metrics: RouterMetrics;
  usage?: TenantUsage | undefined;
  tracer?: Tracer | undefined;
  /** Aborts when nothing new is taken any more. */
  refusing: AbortSignal;
}>;

/** A request that runs: how its client wants to read the reply, and what comes of its prompts. */
export type Running = Readonly<{ options: ReplyOptions; batch: GenerationBatch }>;

/** Reads a request as things stand: a query for each of its prompts, at least one. */
type ReadQueries = (facts: ModelFacts) => readonly GenerationQuery[];

/** The way of a request into the cluster, the same for HTTP and gRPC: admitted, read, prepared, fitted, and started once the cluster can serve. */
export class Inference {
  readonly model: ServedModel;
  readonly clock: Clock;
  readonly #options: InferenceOptions;
  readonly #gate: ReadyGate;
  readonly #preparer: PromptPreparer;
  #ended = false;

  constructor(options: InferenceOptions) {
    this.#options = options;
    this.model = options.model;
    this.clock = options.clock;
    this.#gate = new ReadyGate(options.clock);
    this.#preparer = new PromptPreparer(options);
  }

  /** Requests that wait for the cluster look again. */
  passWaiting(): void {
    this.#gate.open();
  }

  /** The router ends: who waits is refused. */
  end(): void {
    this.#ended = true;
    this.#gate.open();
  }

  /** What a request is read by, as things stand: the context is the model's own or the largest worker's. */
  get facts(): ModelFacts {
    const { model, cluster } = this.#options;
    const contextTokensMax = cluster.contextTokensMax ?? Number.POSITIVE_INFINITY;
    return modelFacts(model, Math.min(model.config.maxPositionEmbeddings, contextTokensMax));
  }

  /** Errors: `model_not_found` for an account that may not ask this model, `overloaded` when the router is full, `unavailable` when it ends. */
  admit(incoming: Incoming, account: Account = ANYBODY): Permit {
    checkModel(account, this.model.modelId);
    const { admission, metrics, tracer = noTracer, model } = this.#options;
    return admission.admit(metrics, incoming.name, () => RequestTrace.begin(tracer, incoming, model.modelId), account);
  }

  /**
   * Reads a request by `read`, a query for each of its prompts, and starts it. Waits a while where the cluster cannot serve now or its queue
   * takes nothing. Errors: those of reading and preparing, `unavailable` when the cluster still cannot serve or the queue cannot be reached,
   * `overloaded` when the request would wait too long for a worker; then nothing of it runs. What is refused is counted by its code.
   * `onPrepared` is called once the queries are not needed any more. A `run` is gone on with: computed as it was, behind what was delivered of it.
   */
  async begin(
    read: ReadQueries,
    permit: Permit,
    client: AbortSignal,
    onPrepared: () => void = () => undefined,
    run?: KeyedRun,
  ): Promise<Running> {
    const { options, requests } = await this.#read(read, permit, client, run?.origin);
    onPrepared();
    if (run?.follow !== undefined) return { options, batch: this.#follow(requests, run, run.follow, permit, client) };
    this.#takeLimits(requests, permit);
    const { cluster, readiness, readyWaitMsMax } = this.#options;
    const untilMs = this.clock.monotonic() + readyWaitMsMax;
    if (!readiness.takes) await this.#whenReady(untilMs, permit, client);
    const lanes = requests.map(laneOf);
    for (const lane of new Set(lanes)) this.#checkWait(lane, permit);
    for (const lane of lanes) cluster.noteAdded(lane);
    return { options, batch: await this.#start(requests, untilMs, permit, client, run) };
  }

  /** The tokens of a prompt that nothing is generated for. Errors: those of preparing it. */
  async tokenize(prompt: PromptQuery, signal: AbortSignal): Promise<Uint32Array> {
    return (await this.#preparer.prepare(prompt, false, undefined, signal)).tokenIds;
  }

  /** Nobody reads it any more, or why else it ends: work that is not over stops. */
  cancel(batch: GenerationBatch, reason?: DroverError): void {
    for (const generation of batch.generations) this.#options.generations.cancel(generation, reason);
  }

  async #read(
    read: ReadQueries,
    permit: Permit,
    client: AbortSignal,
    origin: Origin | undefined,
  ): Promise<Readonly<{ options: ReplyOptions; requests: readonly InferenceRequest[] }>> {
    const span = permit.trace?.child("tokenize");
    try {
      const facts = { ...this.facts, ...(origin && { contextTokensMax: origin.contextTokensMax }) };
      const queries = read(facts);
      const seeds = new Map(queries.map((query, prompt) => [query, origin && originOfPrompt(origin, prompt).seed]));
      const requests = await allOrNone(queries, client, (query, signal) =>
        this.#prepared(query, seeds.get(query) ?? randomInt(2 ** 48 - 1), facts, permit, signal),
      );
      span?.end();
      return { options: at(queries, 0).reply, requests };
    } catch (error) {
      span?.end(toDroverError(error).code);
      throw this.#refusal(error, permit);
    }
  }

  async #prepared(
    query: GenerationQuery,
    drawnSeed: number,
    { contextTokensMax }: ModelFacts,
    permit: Permit,
    signal: AbortSignal,
  ): Promise<InferenceRequest> {
    const prompt = await this.#preparer.prepare(query.prompt, query.echo, permit, signal);
    const { tokenizer } = this.model;
    const read = await truncatedPrompt(query, prompt, contextTokensMax, tokenizer);
    const request = fit(query, read, { contextTokensMax, drawnSeed, tokenizer });
    permit.memory.keep(request, query);
    return request;
  }

  async #start(
    requests: readonly InferenceRequest[],
    untilMs: number,
    permit: Permit,
    client: AbortSignal,
    run: KeyedRun | undefined,
  ): Promise<GenerationBatch> {
    const { generations, names } = this.#options;
    const again = (fault: DroverError) => this.#whenQueueTakes(fault, untilMs, permit, client);
    const open = (request: InferenceRequest, keyed?: KeyedPart) => generations.open(request, permit, client, keyed);
    const opened = run === undefined ? requests.map((request) => open(request)) : openRun(requests, run, open);
    const started = await Promise.allSettled(opened.map((generation) => generations.begin(generation, again)));
    const begun = opened.filter((_, i) => started[i]?.status === "fulfilled");
    const lost = started.find((one) => one.status === "rejected");
    if (permit.name !== undefined)
      names.add(
        permit.name,
        begun.map(({ requestId }) => requestId),
      );
    if (lost === undefined) return new GenerationBatch(begun);
    // A reply without one of its prompts is none: the others end by the same error.
    for (const generation of begun) generations.cancel(generation, toDroverError(lost.reason));
    throw lost.reason;
  }

  /** What another router computes: begun here where it becomes this router's. What fails then ends its generations. */
  #follow(
    requests: readonly InferenceRequest[],
    run: KeyedRun,
    follow: NonNullable<KeyedRun["follow"]>,
    permit: Permit,
    client: AbortSignal,
  ): GenerationBatch {
    const { generations, readyWaitMsMax } = this.#options;
    const opened = openRun(requests, run, (request, keyed) => generations.prepare(request, permit, keyed));
    const begin = async () => {
      if (!(await follow(opened)) || client.aborted) return;
      const untilMs = this.clock.monotonic() + readyWaitMsMax;
      const again = (fault: DroverError) => this.#whenQueueTakes(fault, untilMs, permit, client);
      for (const generation of opened) generations.enlist(generation, permit, client);
      await Promise.allSettled(opened.map((generation) => generations.begin(generation, again)));
    };
    void begin();
    return new GenerationBatch(opened);
  }

  async #whenReady(untilMs: number, permit: Permit, client: AbortSignal): Promise<void> {
    const { readiness } = this.#options;
    const span = permit.trace?.child("cluster");
    await this.#wait(untilMs, client);
    // Whether the queue takes it, the queue says.
    if (readiness.serves && !client.aborted && !this.#ended) return span?.end();
    const error = client.aborted
      ? toDroverError(client.reason)
      : new DroverError("unavailable", "the cluster is not ready", { retryAfterMs: RETRY_AFTER_MS });
    span?.end(error.code);
    throw this.#refusal(error, permit);
  }

  /**
   * How long the queue may take when a request is put there again that it refused, or that it did not answer for: a leader is found, Redis has room or
   * wakes, in seconds. Undefined where the request has waited long enough.
   */
  async #whenQueueTakes(
    fault: DroverError,
    untilMs: number,
    permit: Permit,
    client: AbortSignal,
  ): Promise<TimeLimit | undefined> {
    const { refusing } = this.#options;
    const nowMs = this.clock.monotonic();
    if (!(fault instanceof QueueAway) || nowMs >= untilMs) return undefined;
    const span = permit.trace?.child("queue");
    await this.#wait(Math.min(untilMs, nowMs + QUEUE_RETRY_MS), client);
    span?.end();
    const leftMs = untilMs - this.clock.monotonic();
    if (leftMs <= 0 || client.aborted || refusing.aborted || this.#ended) return undefined;
    return { ...QUEUE_CALL_LIMIT, ms: Math.min(leftMs, QUEUE_CALL_LIMIT.ms) };
  }

  /** Until requests that wait are let go on, until then, or until the client leaves or the router ends. */
  async #wait(untilMs: number, client: AbortSignal): Promise<void> {
    const { metrics, refusing } = this.#options;
    const waiting = this.#gate.wait(untilMs - this.clock.monotonic(), AbortSignal.any([client, refusing]));
    metrics.waitingForCluster(this.#gate.waitingCount);
    await waiting;
    metrics.waitingForCluster(this.#gate.waitingCount);
  }

  /** Better refused now than late: what is accepted keeps its promise. */
  #checkWait(lane: Lane, permit: Permit): void {
    const { cluster, queueWaitMsMax, metrics } = this.#options;
    const waitMs = cluster.predictedWaitMs(lane);
    if (waitMs <= queueWaitMsMax) return;
    metrics.refusedAtDoor(lane);
    const retryAfterMs = Math.min(RETRY_AFTER_MS_MAX, Math.max(RETRY_AFTER_MS, waitMs - queueWaitMsMax));
    const sentence = `requests of this length wait ${Math.ceil(waitMs / 1000)} s for a worker now; come back later`;
    throw this.#refusal(new DroverError("overloaded", sentence, { retryAfterMs }), permit);
  }

  #takeLimits(requests: readonly InferenceRequest[], permit: Permit): void {
    const { cluster, usage } = this.#options;
    try {
      takeLimits(requests, permit, cluster.state, usage, this.clock.monotonic());
    } catch (error) {
      throw this.#refusal(error, permit);
    }
  }

  #refusal(error: unknown, permit: Permit): unknown {
    return refusal(error, this.#options.metrics, permit.trace);
  }
}

import { randomInt } from "node:crypto";
import { type Clock, DroverError, type Lane, noTracer, type Tracer, toDroverError, whenAborted } from "@drover/core";
import type { ClusterWatch } from "../cluster/cluster-watch.ts";
import { IMAGE_BYTES_HELD_MAX, RETRY_AFTER_MS, RETRY_AFTER_MS_MAX } from "../limits.ts";
import type { InferenceRequest } from "../openai/inference-request.ts";
import type { RequestContext } from "../openai/request-context.ts";
import type { RouterMetrics } from "../router-metrics.ts";
import type { ServedModel } from "../served-model.ts";
import type { Generation } from "./generation.ts";
import type { Arrival, Generations } from "./generations.ts";
import { ReadyGate } from "./ready-gate.ts";
import { laneOf } from "./request-job.ts";
import { type Incoming, RequestTrace } from "./request-trace.ts";

export type InferenceOptions = Readonly<{
  model: ServedModel;
  generations: Generations;
  cluster: Pick<ClusterWatch, "ready" | "contextTokensMax" | "predictedWaitMs" | "noteAdded">;
  /** A request that is predicted to wait longer for a worker is refused. */
  queueWaitMsMax: number;
  /** Why the queue takes nothing now, as far as is known; null when it does. */
  queueTrouble: () => string | null;
  /** A request that comes while the cluster cannot serve, or its queue takes nothing, waits so long for that to end. */
  readyWaitMsMax: number;
  clock: Clock;
  metrics: RouterMetrics;
  requestsMax: number;
  tracer?: Tracer | undefined;
  /** Aborts when nothing new is taken any more. */
  refusing: AbortSignal;
}>;

/** A place among the requests in flight; disposing it frees the place. */
export type Permit = Disposable &
  /** The spans end with it. */
  Arrival &
  Readonly<{
    /** Counts bytes that the request keeps until its permit ends. Errors: `overloaded` when all requests together keep too many. */
    holdBytes: (byteCount: number) => void;
  }>;

/** What HTTP and gRPC share: admission, limits, and the start of a request. */
export class Inference {
  readonly model: ServedModel;
  readonly clock: Clock;
  readonly #options: InferenceOptions;
  readonly #gate: ReadyGate;
  #inFlight = 0;
  #bytesHeld = 0;
  #onIdle: () => void = () => undefined;

  constructor(options: InferenceOptions) {
    this.#options = options;
    this.model = options.model;
    this.clock = options.clock;
    this.#gate = new ReadyGate(options.clock);
  }

  /** Requests that wait for the cluster look again. */
  passWaiting(): void {
    this.#gate.open();
  }

  /** Requests that were admitted and are not over. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Resolves when nothing is in flight, or when the signal aborts. */
  async whenIdle(signal: AbortSignal): Promise<void> {
    if (this.#inFlight === 0) return;
    const idle = Promise.withResolvers<void>();
    this.#onIdle = idle.resolve;
    await Promise.race([idle.promise, whenAborted(signal)]);
  }

  /** Errors: `overloaded` when the router is full, `unavailable` when it ends: another one takes the request. */
  admit(incoming: Incoming): Permit {
    const { requestsMax, metrics, clock, refusing, tracer = noTracer, model } = this.#options;
    if (refusing.aborted) {
      metrics.failed("unavailable");
      throw new DroverError("unavailable", "this router is ending; ask again, and another one answers", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    if (this.#inFlight >= requestsMax) {
      metrics.failed("overloaded");
      throw new DroverError("overloaded", `the router holds its ${requestsMax} requests; come back later`, {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    metrics.inFlight(++this.#inFlight);
    let released = false;
    let held = 0;
    const trace = RequestTrace.begin(tracer, incoming, model.modelId);
    return {
      arrivedMs: clock.monotonic(),
      trace,
      holdBytes: (byteCount) => {
        if (released) return;
        if (this.#bytesHeld + byteCount > IMAGE_BYTES_HELD_MAX) {
          throw new DroverError("overloaded", "the router holds too many images; come back later", {
            retryAfterMs: RETRY_AFTER_MS,
          });
        }
        held += byteCount;
        this.#bytesHeld += byteCount;
        metrics.imageBytesHeld(this.#bytesHeld);
      },
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        trace?.end();
        this.#bytesHeld -= held;
        metrics.imageBytesHeld(this.#bytesHeld);
        metrics.inFlight(--this.#inFlight);
        if (this.#inFlight === 0) this.#onIdle();
      },
    };
  }

  /** Tokens that prompt and output may have together: the model's own limit and the largest worker's. */
  get contextTokensMax(): number {
    const { model, cluster } = this.#options;
    return Math.min(model.config.maxPositionEmbeddings, cluster.contextTokensMax ?? Number.POSITIVE_INFINITY);
  }

  /** What a request that will run is read with. */
  requestContext({ holdBytes, trace }: Permit, signal: AbortSignal): RequestContext {
    const { contextTokensMax } = this;
    const timeImage = () => {
      const [timed, span] = [this.#timeImage(), trace?.child("image")];
      return () => {
        timed();
        span?.end();
      };
    };
    return { contextTokensMax, drawnSeed: randomInt(2 ** 48 - 1), signal, holdBytes, timeImage };
  }

  /** Waits until a request that will run has been read; one that is refused for what it says is counted. Errors: those of reading. */
  async read<T>(reading: Promise<T>, { trace }: Permit): Promise<T> {
    const span = trace?.child("tokenize");
    try {
      const read = await reading;
      span?.end();
      return read;
    } catch (error) {
      const { code } = toDroverError(error);
      span?.end(code);
      trace?.failed(code);
      const { metrics } = this.#options;
      if (code === "cancelled") metrics.finished("abort");
      else metrics.failed(code);
      throw error;
    }
  }

  /** As `requestContext`, for what is only tokenized: nothing is generated, so no context limits it, and what it opens is gone with the reply. */
  tokenizeContext(signal: AbortSignal): RequestContext {
    const contextTokensMax = Number.POSITIVE_INFINITY;
    return { contextTokensMax, drawnSeed: 0, signal, holdBytes: () => undefined, timeImage: this.#timeImage };
  }

  readonly #timeImage = () => {
    const { clock, metrics } = this.#options;
    const beganMs = clock.monotonic();
    return () => metrics.imageOpened((clock.monotonic() - beganMs) / 1000);
  };

  /**
   * Waits a while where the cluster cannot serve now or its queue takes nothing. Errors: `unavailable` when it still cannot, or the queue cannot be reached, `overloaded` when the request
   * would wait too long for a worker.
   */
  async start(request: InferenceRequest, permit: Permit, client: AbortSignal): Promise<Generation> {
    const { cluster, generations, queueTrouble } = this.#options;
    if (!cluster.ready || queueTrouble() !== null) await this.#whenReady(permit, client);
    const lane = laneOf(request);
    this.#checkWait(lane, permit);
    cluster.noteAdded(lane);
    return generations.start(request, permit, client);
  }

  async #whenReady({ trace }: Permit, client: AbortSignal): Promise<void> {
    const { cluster, metrics, readyWaitMsMax, refusing } = this.#options;
    const span = trace?.child("cluster");
    const waiting = this.#gate.wait(readyWaitMsMax, AbortSignal.any([client, refusing]));
    metrics.waitingForCluster(this.#gate.waitingCount);
    await waiting;
    metrics.waitingForCluster(this.#gate.waitingCount);
    if (client.aborted) {
      span?.end("cancelled");
      trace?.failed("cancelled");
      metrics.finished("abort");
      throw client.reason;
    }
    // Whether the queue takes it, the queue says.
    if (cluster.ready) return span?.end();
    span?.end("unavailable");
    trace?.failed("unavailable");
    metrics.failed("unavailable");
    throw new DroverError("unavailable", "the cluster is not ready", { retryAfterMs: RETRY_AFTER_MS });
  }

  /** Better refused now than late: what is accepted keeps its promise. */
  #checkWait(lane: Lane, permit: Permit): void {
    const { cluster, queueWaitMsMax, metrics } = this.#options;
    const waitMs = cluster.predictedWaitMs(lane);
    if (waitMs <= queueWaitMsMax) return;
    metrics.refusedAtDoor(lane);
    permit.trace?.failed("overloaded");
    metrics.failed("overloaded");
    const retryAfterMs = Math.min(RETRY_AFTER_MS_MAX, Math.max(RETRY_AFTER_MS, waitMs - queueWaitMsMax));
    const seconds = Math.ceil(waitMs / 1000);
    throw new DroverError("overloaded", `requests of this length wait ${seconds} s for a worker now; come back later`, {
      retryAfterMs,
    });
  }

  /** Nobody reads it any more: work that is not over stops. */
  cancel(generation: Generation): void {
    this.#options.generations.cancel(generation);
  }
}

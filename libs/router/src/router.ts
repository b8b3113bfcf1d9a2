import { randomUUID } from "node:crypto";
import {
  type Clock,
  DroverError,
  type Logger,
  neverAborted,
  type PayloadStore,
  type QueueProducer,
  type RouterId,
  routerId,
  sleepUnlessAborted,
  systemClock,
  type Tracer,
  whenAborted,
} from "@drover/core";
import { servedModelSeed } from "@drover/kv";
import type { ClusterState } from "@drover/proto";
import { listen, shutDown } from "@drover/rpc";
import type { Metrics } from "@drover/telemetry";
import type { ApiKeys } from "./api-keys.ts";
import { ClusterWatch } from "./cluster/cluster-watch.ts";
import { TokenStreams } from "./cluster/token-streams.ts";
import { VisionClient } from "./cluster/vision-client.ts";
import { createGrpcServer, type GrpcServer } from "./grpc/grpc-server.ts";
import { closeHttp } from "./http/close-http.ts";
import { createHttpServer } from "./http/http-server.ts";
import {
  DRAIN_MS_MAX,
  FLUSH_MS_MAX,
  QUEUE_WAIT_MS_MAX_DEFAULT,
  READY_WAIT_MS_MAX_DEFAULT,
  SWEEP_INTERVAL_MS,
} from "./limits.ts";
import { modelServerMetrics } from "./model-server-metrics.ts";
import { Admission } from "./requests/admission.ts";
import { Generations } from "./requests/generations.ts";
import { Inference } from "./requests/inference.ts";
import { neverEnding, type RouterEnding } from "./router-ending.ts";
import { RouterMetrics } from "./router-metrics.ts";
import type { ServedModel } from "./served-model.ts";

export type RouterOptions = Readonly<{
  model: ServedModel;
  queue: QueueProducer;
  store: PayloadStore;
  /** Why the queue takes nothing now; null when it does. It always does, unless given. */
  queueTrouble?: () => string | null;
  /** The queue lives in the leading scheduler and goes with it. */
  queueInScheduler: boolean;
  schedulers: readonly string[];
  keys: ApiKeys;
  requestsMax: number;
  /** A request that is predicted to wait longer for a worker is refused; QUEUE_WAIT_MS_MAX_DEFAULT unless given. */
  queueWaitMsMax?: number;
  /** How long a request waits for a cluster that cannot serve; READY_WAIT_MS_MAX_DEFAULT unless given. */
  readyWaitMsMax?: number;
  host: string;
  httpPort: number;
  grpcPort: number;
  /** What peers dial; the listening host unless given. */
  advertise: string;
  metrics: Metrics;
  logger: Logger;
  tracer?: Tracer;
  /** Called once, when requests can first be served. */
  onReady: () => void;
  /** How it ends; only by `close` unless given. */
  ending?: RouterEnding;
  clock?: Clock;
}>;

/** One router: both interfaces, the requests it holds, its view of the cluster and its streams to the workers. */
export class Router {
  readonly #options: RouterOptions;
  readonly #clock: Clock;
  readonly #routerId: RouterId = routerId(`router-${randomUUID()}`);
  readonly #generations: Generations;
  readonly #streams: TokenStreams;
  readonly #vision: VisionClient;
  readonly #admission: Admission;
  readonly #inference: Inference;
  readonly #http: ReturnType<typeof createHttpServer>;
  readonly #grpc: GrpcServer;
  readonly #metrics: RouterMetrics;
  readonly #ending: RouterEnding;
  #grpcAddress = "";
  #watch: ClusterWatch | undefined;
  readonly #closed = new AbortController();
  #leader: string | undefined;
  #announced = false;
  #wasReady = false;

  private constructor(options: RouterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { model, logger, metrics: registry, keys } = options;
    const metrics = new RouterMetrics(registry, model.modelId);
    this.#metrics = metrics;
    this.#ending = options.ending ?? neverEnding;
    this.#vision = new VisionClient({ clock: this.#clock, metrics });
    const common = { clock: this.#clock, logger, routerId: this.#routerId };
    this.#generations = new Generations({
      ...common,
      model,
      queue: options.queue,
      store: options.store,
      metrics,
      vision: this.#vision,
      hashSeed: () => servedModelSeed(model.modelId, this.#watch?.modelFingerprint ?? ""),
      cancelAt: (worker, request, attempt, force) => this.#streams.cancel(worker, request, attempt, force),
    });
    this.#streams = new TokenStreams({
      ...common,
      modelId: model.modelId,
      resumes: (worker) => this.#generations.resumes(worker),
      onEvent: (worker, event) => this.#generations.take(worker, event),
      onLost: (worker) => this.#generations.workerLost(worker),
      onLeft: (worker) => this.#generations.workerLeft(worker),
      onStreamCount: (count) => {
        metrics.streams(count);
        this.#observeReady();
      },
    });
    const router = this;
    this.#admission = new Admission({
      requestsMax: options.requestsMax,
      refusing: this.#ending.refusing,
      clock: this.#clock,
    });
    this.#inference = new Inference({
      model,
      admission: this.#admission,
      generations: this.#generations,
      clock: this.#clock,
      metrics,
      tracer: options.tracer,
      queueWaitMsMax: options.queueWaitMsMax ?? QUEUE_WAIT_MS_MAX_DEFAULT,
      queueTrouble: () => this.#queueTrouble(),
      readyWaitMsMax: options.readyWaitMsMax ?? READY_WAIT_MS_MAX_DEFAULT,
      refusing: this.#ending.refusing,
      cluster: {
        predictedWaitMs: (lane) => this.#watch?.predictedWaitMs(lane) ?? 0,
        noteAdded: (lane) => this.#watch?.noteAdded(lane),
        get ready() {
          return router.#serving;
        },
        get contextTokensMax() {
          return router.#watch?.contextTokensMax;
        },
      },
    });
    this.#http = createHttpServer({
      inference: this.#inference,
      keys,
      metrics: registry,
      modelServerMetrics: () =>
        modelServerMetrics({
          modelId: model.modelId,
          state: this.#watch?.state,
          runningCount: this.#generations.begunCount,
        }),
      logger,
      ready: () => this.ready,
      ending: this.#ending.asked,
      clusterState: () => this.#watch?.state,
      explain: async (request, signal) => {
        if (this.#watch === undefined) throw new DroverError("unavailable", "no scheduler leads");
        return this.#watch.explain(request, signal);
      },
    });
    this.#grpc = createGrpcServer({ inference: this.#inference, keys, logger });
  }

  /** Listens on both ports and begins to watch the cluster. Errors: `unavailable` when an address is taken. */
  static async start(
    options: RouterOptions,
  ): Promise<{ router: Router; addresses: Readonly<{ http: string; grpc: string }> }> {
    const router = new Router(options);
    const { host, advertise } = options;
    const grpcPort = await listen(router.#grpc.server, `${bracketed(host)}:${options.grpcPort}`);
    router.#grpcAddress = `${bracketed(host)}:${grpcPort}`;
    await router.#http.listen({ host, port: options.httpPort }).catch((cause: Error) => {
      const message = `cannot listen on ${bracketed(host)}:${options.httpPort}: ${cause.message}`;
      throw new DroverError("unavailable", message, { cause });
    });
    const bound = router.#http.server.address();
    const httpPort = typeof bound === "object" && bound !== null ? bound.port : options.httpPort;
    const addresses = {
      http: `${bracketed(advertise)}:${httpPort}`,
      grpc: `${bracketed(advertise)}:${grpcPort}`,
    };
    router.#begin(addresses.grpc);
    return { router, addresses };
  }

  /** Requests should come here: they can be served, and the router is not about to end. */
  get ready(): boolean {
    return this.unready === null;
  }

  /** Why it is not ready; null when it is. */
  get unready(): string | null {
    if (this.#ending.asked.aborted) return "the router is ending";
    if (this.#watch?.state === undefined) return "no scheduler that leads has answered yet";
    if (!this.#watch.ready) return "the cluster cannot serve: an expert has no holder, or no attention worker is ready";
    if (this.#streams.connectedCount === 0) return "no attention worker is reached";
    return this.#queueTrouble();
  }

  #queueTrouble(): string | null {
    return this.#options.queueTrouble?.() ?? null;
  }

  /** A request that comes now can be served. */
  get #serving(): boolean {
    return this.#watch?.ready === true && this.#streams.connectedCount > 0;
  }

  /** Resolves when nothing new is taken any more and either nothing is in flight or the time for that is over: then `close` it. */
  async drained(): Promise<void> {
    const { refusing, over } = this.#ending;
    await whenAborted(refusing);
    // Clients with a long-lived connection go to another router; what runs on it goes on.
    this.#grpc.server.drain(this.#grpcAddress, DRAIN_MS_MAX);
    const begun = this.#admission.inFlight;
    await this.#admission.whenIdle(over);
    const cut = this.#admission.inFlight;
    this.#metrics.drained("finished", begun - cut);
    this.#metrics.drained("cut", cut);
    this.#options.logger.info("router.drained", { finished: begun - cut, cut });
  }

  /** Ends every request with an error, then, when that is said, every connection. */
  async close(): Promise<void> {
    this.#closed.abort(new DroverError("unavailable", "this router has ended"));
    this.#generations.close();
    this.#inference.passWaiting();
    const idle = new AbortController();
    void this.#admission.whenIdle(neverAborted).then(() => idle.abort(new DroverError("cancelled", "all is said")));
    await sleepUnlessAborted(this.#clock, FLUSH_MS_MAX, idle.signal);
    this.#watch?.close();
    this.#streams.close();
    this.#vision[Symbol.dispose]();
    await Promise.all([closeHttp(this.#http, FLUSH_MS_MAX), shutDown(this.#grpc.server, FLUSH_MS_MAX)]);
  }

  #begin(address: string): void {
    const { model, schedulers, logger } = this.#options;
    this.#watch = new ClusterWatch({
      addresses: schedulers,
      routerId: this.#routerId,
      modelId: model.modelId,
      address,
      clock: this.#clock,
      logger,
      onState: (state) => this.#see(state),
    });
    this.#watch.start();
    this.#ending.asked.addEventListener("abort", () => this.#observeReady(), { once: true });
    void this.#sweep(this.#closed.signal);
  }

  /** Looks, until the router closes, for requests that are late, streams that are lost, and a cluster that can serve again. */
  async #sweep(closed: AbortSignal): Promise<void> {
    while (!closed.aborted) {
      this.#generations.sweep(this.#clock.now());
      this.#streams.sweep();
      this.#observeReady();
      await sleepUnlessAborted(this.#clock, SWEEP_INTERVAL_MS, closed);
    }
  }

  #see(state: ClusterState): void {
    this.#streams.update(state);
    this.#vision.update(state);
    const leader = `${state.schedulerId}@${state.leaderEpoch}`;
    if (this.#leader !== undefined && this.#leader !== leader && this.#options.queueInScheduler)
      this.#generations.queueLost();
    this.#leader = leader;
    this.#observeReady();
  }

  #observeReady(): void {
    if (this.#serving && this.#queueTrouble() === null) this.#inference.passWaiting();
    const ready = this.ready;
    if (ready !== this.#wasReady) {
      this.#wasReady = ready;
      this.#grpc.setReady(ready);
      this.#options.logger.info(ready ? "router.ready" : "router.not_ready");
    }
    if (ready && !this.#announced) {
      this.#announced = true;
      this.#options.onReady();
    }
  }
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

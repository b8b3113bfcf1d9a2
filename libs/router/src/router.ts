import { randomUUID } from "node:crypto";
import {
  type Clock,
  DroverError,
  type Logger,
  neverAborted,
  restOfPeriod,
  routerId,
  sleepUnlessAborted,
  systemClock,
  type Tracer,
  whenAborted,
} from "@drover/core";
import type { Certificates } from "@drover/rpc";
import type { Metrics } from "@drover/telemetry";
import type { ApiKeys } from "./api-keys.ts";
import { Bodies, type BodyLimits } from "./bodies/bodies.ts";
import { BodyBudget } from "./bodies/body-budget.ts";
import { Deployment, type DeploymentOptions } from "./deployment.ts";
import { Deployments } from "./deployments.ts";
import { GrpcDoor } from "./grpc/grpc-door.ts";
import { createGrpcServer, type GrpcServer } from "./grpc/grpc-server.ts";
import { closeHttp } from "./http/close-http.ts";
import { createHttpServer } from "./http/http-server.ts";
import {
  BATCH_REQUESTS_DEFAULT,
  CONNECTIONS_MAX_DEFAULT,
  DRAIN_MS_MAX,
  FLUSH_MS_MAX,
  IDLE_SWEEP_INTERVAL_MS,
  KEEP_FILES_MS_DEFAULT,
  STREAM_WAIT_MS_DEFAULT,
  SWEEP_INTERVAL_MS,
} from "./limits.ts";
import { type MemoryLimits, memoryBudgets } from "./memory/memory-budgets.ts";
import { ROUTER_MEMORY_DEFAULT, routerMemory } from "./memory/router-memory.ts";
import { showMemory } from "./metrics/memory-series.ts";
import { routerSeries } from "./metrics/router-series.ts";
import { Admission } from "./requests/admission.ts";
import { TenantUsage } from "./requests/tenant-usage.ts";
import { neverEnding, type RouterEnding } from "./router-ending.ts";

export type RouterOptions = Readonly<{
  /** The models that it serves; the first one answers where no name is needed. */
  deployments: readonly DeploymentOptions[];
  keys: ApiKeys;
  /** Origins of pages that may use the API from a browser, `*` for all; none unless given. */
  corsOrigins?: readonly string[];
  /** Whether a page for people is at `/`; it is unless told otherwise. */
  page?: boolean;
  /** Requests in flight, of all models together; more are refused. */
  requestsMax: number;
  /** Of them, so many of batches; BATCH_REQUESTS_DEFAULT unless given. */
  batchRequestsMax?: number;
  /** A streamed reply without text gets a sign of life this often; STREAM_WAIT_MS_DEFAULT unless given. */
  streamWaitMs?: number;
  /** How long files and batches are kept; KEEP_FILES_MS_DEFAULT unless given. */
  keepFilesMs?: number;
  host: string;
  httpPort: number;
  grpcPort: number;
  /** What peers dial; the listening host unless given. */
  advertise: string;
  metrics: Metrics;
  logger: Logger;
  tracer?: Tracer;
  /** Of Drover, as `/version` tells it. */
  version: string;
  /** Called once, when requests can first be served. */
  onReady: () => void;
  /** How it ends; only by `close` unless given. */
  ending?: RouterEnding;
  clock?: Clock;
  /** HTTP connections at once; CONNECTIONS_MAX_DEFAULT unless given. */
  connectionsMax?: number;
  /** With them both interfaces speak TLS alone. */
  certificates?: Certificates;
  /** Other limits for bodies than `limits.ts` has. */
  bodies?: BodyLimits;
  /** Bytes of what is kept in memory for requests, by kind; those of `limits.ts` unless given. */
  memory?: Partial<MemoryLimits>;
  /** The sum of all that it may hold, for its metrics; ROUTER_MEMORY_DEFAULT's unless given. */
  memoryBytes?: number;
}>;

/** One router: both interfaces, before the models that it serves. */
export class Router {
  readonly #options: RouterOptions;
  readonly #clock: Clock;
  readonly #ending: RouterEnding;
  readonly #admission: Admission;
  readonly #deployments: Deployments;
  readonly #http: ReturnType<typeof createHttpServer>;
  readonly #grpc: GrpcServer;
  #grpcDoor: GrpcDoor | undefined = undefined;
  readonly #closed = new AbortController();
  #announced = false;
  #wasReady = false;

  private constructor(options: RouterOptions) {
    const { keys, logger, metrics, requestsMax, tracer, clock = systemClock, ending = neverEnding } = options;
    this.#options = options;
    this.#clock = clock;
    this.#ending = ending;
    const budgets = memoryBudgets(options.memory);
    this.#admission = new Admission({ requestsMax, refusing: ending.refusing, clock, budgets });
    const series = routerSeries(metrics);
    showMemory(metrics, budgets, options.memoryBytes ?? routerMemory(ROUTER_MEMORY_DEFAULT).totalBytes);
    const usage = new TenantUsage(series);
    const parts = {
      routerId: routerId(`router-${randomUUID()}`),
      admission: this.#admission,
      budgets,
      series,
      usage,
      clock,
      logger,
      tracer,
      refusing: ending.refusing,
      onChange: () => this.#observeReady(),
    };
    this.#deployments = new Deployments(options.deployments.map((model) => new Deployment(model, parts)));
    const facts = () =>
      new Map([...this.#deployments].map(({ modelId, inference }) => [modelId, inference.facts] as const));
    const bodies = new Bodies({ logger, facts, budget: new BodyBudget(budgets.bodies), ...options.bodies });
    this.#http = createHttpServer({
      deployments: this.#deployments,
      keys,
      usage,
      metrics,
      logger,
      ready: () => this.ready,
      version: options.version,
      corsOrigins: options.corsOrigins ?? [],
      page: options.page ?? true,
      ending: ending.asked,
      streamWaitMs: options.streamWaitMs ?? STREAM_WAIT_MS_DEFAULT,
      batches: {
        routerId: parts.routerId,
        keptMs: options.keepFilesMs ?? KEEP_FILES_MS_DEFAULT,
        requestsMax: options.batchRequestsMax ?? BATCH_REQUESTS_DEFAULT,
      },
      clock,
      connectionsMax: options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT,
      certificates: options.certificates,
      bodies,
      budgets,
    });
    this.#grpc = createGrpcServer({
      deployments: this.#deployments,
      keys,
      usage,
      logger,
      bodies,
      version: options.version,
      isReady: () => this.ready,
    });
  }

  /** Listens on both ports and begins to watch the clusters. Errors: `unavailable` when an address is taken. */
  static async start(
    options: RouterOptions,
  ): Promise<{ router: Router; addresses: Readonly<{ http: string; grpc: string }> }> {
    const router = new Router(options);
    const { host, advertise } = options;
    const { port: grpcPort } = await router.#openGrpc();
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

  /** Requests should come here: some can be served, and the router is not about to end. */
  get ready(): boolean {
    return this.unready === null;
  }

  /** Why it is not ready; null when it is. Of several models one is enough: each request learns about its own. */
  get unready(): string | null {
    if (this.#ending.asked.aborted) return "the router is ending";
    const reasons = [...this.#deployments].map(({ readiness }) => readiness.unready);
    return reasons.includes(null) ? null : reasons.join("; ");
  }

  /** Resolves when nothing new is taken any more and either nothing is in flight or the time for that is over: then `close` it. */
  async drained(): Promise<void> {
    const { refusing, over } = this.#ending;
    await whenAborted(refusing);
    // Clients with a long-lived connection go to another router; what runs on it goes on.
    this.#grpcDoor?.drain(DRAIN_MS_MAX);
    const admission = this.#admission;
    const begun = [...this.#deployments].map(({ metrics }) => ({ metrics, count: admission.inFlightOf(metrics) }));
    await admission.whenIdle(over);
    for (const { metrics, count } of begun) {
      const cut = admission.inFlightOf(metrics);
      metrics.drained("finished", count - cut);
      metrics.drained("cut", cut);
    }
    const cut = admission.inFlight;
    const finished = begun.reduce((sum, { count }) => sum + count, -cut);
    this.#options.logger.info("router.drained", { finished, cut });
  }

  /** Ends every request with an error, then, when that is said, every connection. */
  async close(): Promise<void> {
    this.#closed.abort(new DroverError("unavailable", "this router has ended"));
    for (const deployment of this.#deployments) deployment.end();
    const idle = new AbortController();
    void this.#admission.whenIdle(neverAborted).then(() => idle.abort(new DroverError("cancelled", "all is said")));
    await sleepUnlessAborted(this.#clock, FLUSH_MS_MAX, idle.signal);
    for (const deployment of this.#deployments) deployment.close();
    await Promise.all([closeHttp(this.#http, FLUSH_MS_MAX), this.#grpcDoor?.close(FLUSH_MS_MAX)]);
  }

  async #openGrpc(): Promise<GrpcDoor> {
    const { host, grpcPort: port, certificates, connectionsMax = CONNECTIONS_MAX_DEFAULT, logger } = this.#options;
    const named = `${bracketed(host)}:${port}`;
    const options = { host, port, named, connectionsMax, certificates, clock: this.#clock, logger };
    this.#grpcDoor = await GrpcDoor.open(this.#grpc.server, options);
    return this.#grpcDoor;
  }

  #begin(address: string): void {
    for (const deployment of this.#deployments) deployment.start(address);
    this.#ending.asked.addEventListener("abort", () => this.#observeReady(), { once: true });
    void this.#sweep(this.#closed.signal);
  }

  /** Looks, until the router closes, for requests that are late, streams that are lost, and a cluster that can serve again. */
  async #sweep(closed: AbortSignal): Promise<void> {
    while (!closed.aborted) {
      for (const deployment of this.#deployments) deployment.sweep();
      this.#observeReady();
      const periodMs = this.#admission.inFlight === 0 ? IDLE_SWEEP_INTERVAL_MS : SWEEP_INTERVAL_MS;
      await sleepUnlessAborted(this.#clock, restOfPeriod(this.#clock.monotonic(), periodMs), closed);
    }
  }

  #observeReady(): void {
    for (const deployment of this.#deployments) deployment.passWaiting();
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

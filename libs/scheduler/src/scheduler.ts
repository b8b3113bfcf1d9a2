import {
  type Clock,
  DroverError,
  type LeaderGrant,
  type LeaderLease,
  type Logger,
  type ModelId,
  neverAborted,
  type PayloadStore,
  type QueueConsumer,
  sleepUnlessAborted,
  type Tracer,
  toDroverError,
  withTimeout,
} from "@drover/core";
import {
  BEGIN_WITHIN_MS,
  type ClusterState,
  type DrainReply,
  type DrainRequest,
  type PlacementRecord,
  type ReplicaPolicy,
} from "@drover/fleet";
import { Cluster } from "@drover/proto";
import { grpcNetwork, type Network } from "@drover/rpc";
import type { Metrics } from "@drover/telemetry";
import { drainReplyFromWire, drainRequestToWire } from "@drover/wire";
import type { Server } from "@grpc/grpc-js";
import { clusterService } from "./cluster-service.ts";
import type { AskPulse } from "./fleet/pulses.ts";
import { DecisionLog } from "./lanes/decision-log.ts";
import { type PlaceCaller, RpcPlaceCaller } from "./lanes/place-caller.ts";
import { DRAIN_LIMIT, LEADER_ADDRESS_LIMIT, QUEUE_RETRY_MS } from "./limits.ts";
import { SchedulerMetrics } from "./scheduler-metrics.ts";
import { Term } from "./term.ts";

export type SchedulerOptions = Readonly<{
  modelId: ModelId;
  /** Names one life of this process. */
  schedulerId: string;
  /** The first expert map waits for so many expert workers, or 10 s from the first. */
  expectExperts: number;
  /** What copies of experts there are to be; none unless given. */
  replicas?: ReplicaPolicy;
  /** A worker gets nothing that it is predicted to begin later than this; BEGIN_WITHIN_MS unless given. */
  beginWithinMs?: number;
  queue: QueueConsumer;
  payloads: Pick<PayloadStore, "get">;
  lease: LeaderLease;
  clock: Clock;
  logger: Logger;
  tracer?: Tracer;
  metrics: Metrics;
  /** By which it reaches workers and other schedulers; gRPC unless given. */
  network?: Network;
  /** Hands requests to workers; over the network unless given. */
  caller?: PlaceCaller;
  /** Asks a worker's process whether it lives; nobody is found frozen without it. */
  askPulse?: AskPulse;
}>;

/** The scheduler's behaviour: waits for the lease, leads while it holds it, and stands by again. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #metrics: SchedulerMetrics;
  #term: Term | undefined;
  #trouble: string | undefined;

  readonly #decisions = new DecisionLog();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#metrics = new SchedulerMetrics(options.metrics, options.modelId);
    options.metrics.beforeScrape(() => this.#metrics.queueReachable(this.trouble === undefined));
  }

  get leading(): boolean {
    return this.#term !== undefined;
  }

  /** This scheduler leads, and a request can be served. */
  get serving(): boolean {
    return this.#term?.serving ?? false;
  }

  /** Why this scheduler can neither lead nor stand by; undefined when it can. */
  get trouble(): string | undefined {
    return this.#trouble ?? this.#options.lease.trouble;
  }

  /** Every decision about the request that is remembered, also of earlier leaderships of this process; oldest first. */
  explain(request: string): readonly PlacementRecord[] {
    return this.#decisions.of(request);
  }

  /**
   * Asks a worker to drain, or to serve again, and says how far it is; a standby hands the question to the leader. Errors:
   * `not_found`, with the names that there are; `not_leader` while nobody is known to lead.
   */
  async drain(request: DrainRequest, signal: AbortSignal): Promise<DrainReply> {
    if (this.#term !== undefined) return this.#term.drain(request);
    const address = await this.#leaderAddress();
    if (address === undefined) throw await this.#notLeader();
    using client = (this.#options.network ?? grpcNetwork).dial(address);
    const reply = await withTimeout(DRAIN_LIMIT, this.#options.clock, signal, (limited) =>
      client.unary(Cluster.method.drain, drainRequestToWire(request), limited),
    );
    return drainReplyFromWire(reply);
  }

  /** What routers see; undefined while this scheduler stands by. */
  state(): ClusterState | undefined {
    return this.#term?.state();
  }

  /** Registers the Cluster service. */
  addTo(server: Server): void {
    const scheduler = this;
    const leadership = {
      modelId: this.#options.modelId,
      notLeader: () => scheduler.#notLeader(),
      explain: (request: string) => scheduler.explain(request),
      get term() {
        return scheduler.#term;
      },
    };
    server.addService(...clusterService(leadership));
  }

  /** Until the signal aborts. Rejects for bugs only. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const grant = await this.#acquire(signal);
      if (grant !== undefined) await this.#lead(grant, signal);
    }
  }

  /** Undefined when the signal aborted, or after a fault and a pause. */
  async #acquire(signal: AbortSignal): Promise<LeaderGrant | undefined> {
    const { lease, logger, clock } = this.#options;
    try {
      const grant = await lease.acquire(signal);
      this.#trouble = undefined;
      return grant;
    } catch (error) {
      if (signal.aborted) return undefined;
      const { code, message } = toDroverError(error);
      this.#trouble = `the leader's lease cannot be reached: ${message}`;
      logger.warn("lease.failed", { code, message });
      await sleepUnlessAborted(clock, QUEUE_RETRY_MS, signal);
      return undefined;
    }
  }

  async #lead(grant: LeaderGrant, signal: AbortSignal): Promise<void> {
    const { logger, metrics: _, caller: given, network = grpcNetwork, ...options } = this.#options;
    const fields = { epoch: Number(grant.epoch) };
    using caller = given ?? new RpcPlaceCaller(options.clock, network);
    const { beginWithinMs = BEGIN_WITHIN_MS } = options;
    const decisions = this.#decisions;
    const term = new Term({
      ...options,
      beginWithinMs,
      decisions,
      logger,
      caller,
      leaderEpoch: grant.epoch,
      metrics: this.#metrics,
    });
    const ended = new AbortController();
    const end = () => {
      this.#term = undefined;
      this.#metrics.leading(false);
      ended.abort(new DroverError("cancelled", "this scheduler does not lead any more"));
    };
    for (const source of [signal, grant.lost]) source.addEventListener("abort", end, { once: true });
    this.#term = term;
    this.#metrics.leading(true);
    logger.info("leadership.gained", fields);
    if (signal.aborted || grant.lost.aborted) end();
    try {
      await term.run(ended.signal);
    } finally {
      end();
      signal.removeEventListener("abort", end);
      logger.info("leadership.ended", { ...fields, lost: grant.lost.aborted });
      if (!grant.lost.aborted) await this.#release(grant);
    }
  }

  async #release(grant: LeaderGrant): Promise<void> {
    try {
      await grant.release();
    } catch (error) {
      const { code, message } = toDroverError(error);
      this.#options.logger.warn("lease.failed", { code, message });
    }
  }

  /** Undefined where nobody is known to lead, also when that cannot be found out now. */
  #leaderAddress(): Promise<string | undefined> {
    const { lease, clock } = this.#options;
    return withTimeout(LEADER_ADDRESS_LIMIT, clock, neverAborted, (signal) => lease.leaderAddress(signal)).catch(
      () => undefined,
    );
  }

  async #notLeader(): Promise<DroverError> {
    const address = await this.#leaderAddress();
    const where = address === undefined ? "nobody is known to lead" : `the leader is ${address}`;
    return new DroverError("not_leader", `this scheduler stands by; ${where}`);
  }
}

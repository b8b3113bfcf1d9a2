import { randomUUID } from "node:crypto";
import {
  at,
  type Clock,
  LANES,
  type Logger,
  type ModelId,
  type PayloadStore,
  type QueueProducer,
  type RouterId,
  requestId,
  type Tracer,
} from "@drover/core";
import type { ClusterState, PlacementRecord } from "@drover/fleet";
import { servedModelSeed } from "@drover/kv";
import { grpcNetwork, type Network } from "@drover/rpc";
import { timedStore } from "./batches/timed-store.ts";
import { callsOverGrpc } from "./cluster/calls-over-grpc.ts";
import { ClusterWatch } from "./cluster/cluster-watch.ts";
import { TokenStreams } from "./cluster/token-streams.ts";
import { VisionClient } from "./cluster/vision-client.ts";
import { KeyedAnswers } from "./keyed/keyed-answers.ts";
import { KEEP_RESPONSES_MS_DEFAULT, QUEUE_WAIT_MS_MAX_DEFAULT, READY_WAIT_MS_MAX_DEFAULT } from "./limits.ts";
import { type MemoryBudgets, memoryBudgets } from "./memory/memory-budgets.ts";
import { RouterMetrics } from "./metrics/router-metrics.ts";
import type { RouterSeries } from "./metrics/router-series.ts";
import { Readiness } from "./readiness.ts";
import type { Admission } from "./requests/admission.ts";
import { Generations } from "./requests/generations.ts";
import { Inference } from "./requests/inference.ts";
import { KeptResponses } from "./requests/kept-responses.ts";
import { RequestNames } from "./requests/request-names.ts";
import type { TenantUsage } from "./requests/tenant-usage.ts";
import type { ServedModel } from "./served-model.ts";

export type DeploymentOptions = Readonly<{
  model: ServedModel;
  queue: QueueProducer;
  store: PayloadStore;
  /** Why the queue takes nothing now; null when it does. It always does, unless given. */
  queueTrouble?: () => string | null;
  /** The queue lives in the leading scheduler and goes with it. */
  queueInScheduler: boolean;
  /** Of the model's cluster; the one that leads answers. */
  schedulers: readonly string[];
  /** A request that is predicted to wait longer for a worker is refused; QUEUE_WAIT_MS_MAX_DEFAULT unless given. */
  queueWaitMsMax?: number;
  /** How long a request waits for a cluster that cannot serve; READY_WAIT_MS_MAX_DEFAULT unless given. */
  readyWaitMsMax?: number;
  /** How long a response is kept for requests that go on with it; 0: not at all. KEEP_RESPONSES_MS_DEFAULT unless given. */
  keepResponsesMs?: number;
}>;

/** What a deployment shares with the others of its router. */
export type RouterParts = Readonly<{
  routerId: RouterId;
  admission: Admission;
  /** What is kept in memory for requests; those of `limits.ts` unless given. */
  budgets?: MemoryBudgets;
  series: RouterSeries;
  usage: TenantUsage;
  clock: Clock;
  logger: Logger;
  tracer: Tracer | undefined;
  /** By which it reaches schedulers and workers; gRPC unless given. */
  network?: Network;
  /** Makes the id of a request; a random UUID unless given. */
  newId?: () => string;
  /** Aborts when nothing new is taken any more. */
  refusing: AbortSignal;
  /** Called when `unready` may be another. */
  onChange: () => void;
}>;

/** Where a request went, and what its client calls it, where this router knows. */
export type Explanation = Readonly<{ name: string | undefined; records: readonly PlacementRecord[] }>;

/** All of one served model in a router: its requests, its view of the model's cluster, and the streams to its workers. */
export class Deployment {
  /** The way of a request into the model's cluster. */
  readonly inference: Inference;
  /** Responses that requests may go on with. */
  readonly responses: KeptResponses;
  /** Answers to requests that may be sent twice. */
  readonly keyedAnswers: KeyedAnswers;
  /** Where what belongs to such requests lies; its calls end in time. */
  readonly keyedStore: PayloadStore;
  readonly metrics: RouterMetrics;
  readonly readiness: Readiness;
  readonly #options: DeploymentOptions;
  readonly #parts: RouterParts;
  readonly #watch: ClusterWatch;
  readonly #streams: TokenStreams;
  readonly #vision: VisionClient;
  readonly #generations: Generations;
  readonly #names = new RequestNames();
  #leader: string | undefined;

  constructor(options: DeploymentOptions, parts: RouterParts) {
    const { model, queue, store, schedulers } = options;
    const { routerId, clock, logger, series, usage, network = grpcNetwork, newId = randomUUID, onChange } = parts;
    const { modelId } = model;
    const { budgets = memoryBudgets() } = parts;
    this.#options = options;
    this.#parts = parts;
    this.metrics = new RouterMetrics(series, modelId);
    this.responses = new KeptResponses(store, options.keepResponsesMs ?? KEEP_RESPONSES_MS_DEFAULT, clock, logger);
    this.keyedStore = timedStore(store, clock);
    this.keyedAnswers = new KeyedAnswers({
      store: this.keyedStore,
      budget: budgets.answers,
      ...{ routerId, clock, logger, metrics: this.metrics },
    });
    const common = { calls: callsOverGrpc(network), modelId, routerId, clock, logger };
    this.#watch = new ClusterWatch({ ...common, addresses: schedulers, onState: (state) => this.#see(state) });
    this.#vision = new VisionClient({ clock, metrics: this.metrics });
    // Requests and streams know each other: what a worker sends goes to its request, and a request ends where it runs.
    this.#generations = new Generations({
      ...common,
      model,
      queue,
      store,
      metrics: this.metrics,
      usage,
      newRequestId: () => requestId(newId()),
      vision: this.#vision,
      hashSeed: () => servedModelSeed(modelId, this.#watch.modelFingerprint),
      cancelAt: (...attempt) => this.#streams.cancel(...attempt),
    });
    this.#streams = new TokenStreams({
      ...common,
      requests: this.#generations,
      onStreamCount: (count) => {
        this.metrics.streams(count);
        onChange();
      },
    });
    const queueTrouble = () => this.#queueTrouble();
    this.readiness = new Readiness({ watch: this.#watch, streams: this.#streams, queueTrouble });
    this.inference = new Inference({
      ...parts,
      model,
      generations: this.#generations,
      names: this.#names,
      cluster: this.#watch,
      readiness: this.readiness,
      metrics: this.metrics,
      queueWaitMsMax: options.queueWaitMsMax ?? QUEUE_WAIT_MS_MAX_DEFAULT,
      readyWaitMsMax: options.readyWaitMsMax ?? READY_WAIT_MS_MAX_DEFAULT,
    });
  }

  get modelId(): ModelId {
    return this.#options.model.modelId;
  }

  /** Where payloads lie, and what is kept for clients. */
  get store(): PayloadStore {
    return this.#options.store;
  }

  /** How long a request that comes now is predicted to wait for a worker, in the slower lane. */
  get waitMs(): number {
    return Math.max(...LANES.map((lane) => this.#watch.predictedWaitMs(lane)));
  }

  get model(): ServedModel {
    return this.#options.model;
  }

  /** The cluster as its leader last told it, however old. */
  get clusterState(): ClusterState | undefined {
    return this.#watch.state;
  }

  /** Requests that a worker has begun. */
  get begunCount(): number {
    return this.#generations.begunCount;
  }

  /**
   * Why a request went where it went, by its id or by what its client calls it: of all its prompts in turn. Errors: those of
   * `ClusterWatch.explain`.
   */
  async explain(request: string, signal: AbortSignal): Promise<Explanation> {
    const ids = this.#names.idsOf(request);
    const records = await Promise.all(ids.map((id) => this.#watch.explain(id, signal)));
    return { name: this.#names.nameOf(at(ids, 0)), records: records.flat() };
  }

  /** Begins to watch the cluster, for a router that is reached at `address`. */
  start(address: string): void {
    this.#watch.start(address);
  }

  /** Ends what is past its deadline, looks again at lost workers, and forgets what was kept long enough. */
  sweep(): void {
    this.#generations.sweep(this.#parts.clock.now());
    this.#streams.sweep();
    this.responses.sweep();
  }

  /** Requests that wait for the cluster go on, where it can serve them. */
  passWaiting(): void {
    if (this.readiness.takes) this.inference.passWaiting();
  }

  /** Ends every request with an error. */
  end(): void {
    this.#generations.close();
    this.inference.end();
  }

  /** Ends every stream, once what is said to clients is said. */
  close(): void {
    this.#watch.close();
    this.#streams.close();
    this.#vision[Symbol.dispose]();
  }

  /** A queue in the scheduler is away when its scheduler is, which shows at once. */
  #queueTrouble(): string | null {
    const { queueInScheduler, queueTrouble } = this.#options;
    if (queueInScheduler && !this.#watch.isUp) return "the scheduler, which has the queue, cannot be reached";
    return queueTrouble?.() ?? null;
  }

  #see(state: ClusterState): void {
    this.#streams.update(state);
    this.#vision.update(state);
    const leader = `${state.schedulerId}@${state.leaderEpoch}`;
    if (this.#leader !== undefined && this.#leader !== leader && this.#options.queueInScheduler)
      this.#generations.queueLost();
    this.#leader = leader;
    this.#parts.onChange();
  }
}

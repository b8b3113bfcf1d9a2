import { create } from "@bufbuild/protobuf";
import { type Logger, SaidReasons } from "@drover/core";
import {
  Cluster,
  type ContextWorkers,
  type DrainState,
  type ExpertMap,
  ExpertsLoadedSchema,
  type JoinHello,
  type LayerExperts,
  LeavingSchema,
  type WorkerOrder,
  type WorkerReport,
  WorkerReportSchema,
  type WorkerStatus,
} from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { changesMessages, type ReportedCache, snapshotMessages } from "./cache-report.ts";

export type SchedulerLinkOptions = Readonly<{
  /** Schedulers' addresses; the leader is among them. */
  addresses: readonly string[];
  hello: JoinHello;
  status: () => WorkerStatus;
  loaded: () => LayerExperts[];
  onSetExperts: (layers: readonly LayerExperts[]) => void;
  onMap: (map: ExpertMap) => void;
  onLeader: (epoch: bigint) => void;
  /** All workers of role `context`, at every change. */
  onContextWorkers: (workers: ContextWorkers) => void;
  /** An operator wants the worker to drain, or wants it back. */
  onSetDrain: (wanted: boolean) => void;
  /** How far the worker is, while it drains. */
  onDrainState: (state: DrainState) => void;
  /** What placement may know of the prefix cache; nothing is reported without it. */
  cache?: ReportedCache;
  logger: Logger;
}>;

/** Between two calls; doubles while all schedulers are away. */
const RETRY_MS = 250;
const RETRY_MS_MAX = 1000;
/** A scheduler that has not taken the worker within this time is left for the next one: its address may lead nowhere. */
const JOIN_MS_MAX = 5000;
const HEARTBEAT_MS = 1000;
/** Placement counts what it has handed out until the next status: a change is told this soon. */
const CHANGE_MS = 100;

/** A worker's stream to the leading scheduler: it joins, reports, obeys, and looks for the next leader when the stream ends. */
export class SchedulerLink implements Disposable {
  readonly #options: SchedulerLinkOptions;
  #client: RpcClient | undefined;
  #stream: ClientDuplexStream<WorkerReport, WorkerOrder> | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #attempt = 0;
  /** Calls in a row that no scheduler took. */
  #failureCount = 0;
  #joined = false;
  readonly #saidReasons = new SaidReasons();
  /** When a scheduler last had this worker, by the monotonic clock. */
  #joinedUntilMs = Number.NEGATIVE_INFINITY;
  #reported = "";
  #reportedAtMs = 0n;
  #cacheReportedAtMs = 0n;
  /** The stream has more to write than it takes at once: the cache's events wait in the cache, which bounds them. */
  #blocked = false;
  #disposed = false;

  constructor(options: SchedulerLinkOptions) {
    this.#options = options;
    this.#connect();
  }

  /** Milliseconds since a scheduler last had this worker among its own; infinite before the first time. */
  leaderlessMs(nowMs: number): number {
    return this.#joined ? 0 : nowMs - this.#joinedUntilMs;
  }

  /** Reports the status now, for changes that placement should know of at once. */
  reportStatus(): void {
    this.#send({ case: "status", value: this.#options.status() });
  }

  #beat(heartbeatMs: number): void {
    const status = this.#options.status();
    this.#reportCache(status.sentAtMs, BigInt(heartbeatMs));
    const { runningCount, waitingCount, kvBytesUsed, ready, draining } = status;
    const facts = `${runningCount} ${waitingCount} ${kvBytesUsed} ${ready} ${draining}`;
    if (facts === this.#reported && status.sentAtMs - this.#reportedAtMs < BigInt(heartbeatMs)) return;
    this.#reported = facts;
    this.#reportedAtMs = status.sentAtMs;
    this.#send({ case: "status", value: status });
  }

  /**
   * Tells of what has changed in the prefix cache, ten times a second at most, and of its digest each heartbeat. What is lost on the way,
   * with a stream or in a cache that had to drop events, shows in the numbers and the digest: the scheduler then orders a snapshot.
   */
  #reportCache(nowMs: bigint, heartbeatMs: bigint): void {
    const { cache } = this.#options;
    if (cache === undefined || this.#blocked) return;
    const events = cache.takeEvents();
    if (events.length === 0 && nowMs - this.#cacheReportedAtMs < heartbeatMs) return;
    this.#cacheReportedAtMs = nowMs;
    for (const value of changesMessages(events, cache.digest())) this.#send({ case: "cacheChanges", value });
  }

  #sendSnapshot(): void {
    const { cache } = this.#options;
    // The next digest asks for it again.
    if (cache === undefined || this.#blocked) return;
    for (const value of snapshotMessages(cache.snapshot())) this.#send({ case: "cacheSnapshot", value });
  }

  reportLoaded(): void {
    this.#send({ case: "loaded", value: create(ExpertsLoadedSchema, { layers: this.#options.loaded() }) });
  }

  /** No more placements; the stream stays until the link is disposed. */
  leave(): void {
    this.#send({ case: "leaving", value: create(LeavingSchema) });
  }

  #send(report: WorkerReport["report"]): void {
    const message = create(WorkerReportSchema);
    message.report = report;
    const stream = this.#stream;
    if (stream === undefined || stream.write(message) || this.#blocked) return;
    this.#blocked = true;
    stream.once("drain", () => {
      if (this.#stream === stream) this.#blocked = false;
    });
  }

  #connect(): void {
    if (this.#disposed) return;
    const { addresses } = this.#options;
    const address = addresses[this.#attempt % addresses.length] ?? "";
    this.#attempt += 1;
    const client = new RpcClient(address);
    const stream = client.bidiStream(Cluster.method.join);
    this.#client = client;
    this.#stream = stream;
    this.#blocked = false;
    this.#cacheReportedAtMs = 0n;
    let ended = false;
    const lost = (reason: string) => {
      if (ended) return;
      ended = true;
      clearTimeout(late);
      clearInterval(this.#heartbeat);
      client[Symbol.dispose]();
      if (this.#stream === stream) this.#stream = undefined;
      if (this.#disposed) return;
      this.#noteLoss(address, reason);
      const round = Math.floor(this.#failureCount++ / addresses.length);
      this.#retry = setTimeout(() => this.#connect(), Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** round));
    };
    const late = setTimeout(() => {
      if (!this.#joined) stream.cancel();
    }, JOIN_MS_MAX);
    stream.on("data", (order: WorkerOrder) => this.#obey(order, address));
    stream.on("error", (error) => lost(error.message));
    stream.on("end", () => lost("ended"));
    this.#send({ case: "hello", value: this.#options.hello });
    this.reportLoaded();
    this.reportStatus();
  }

  /** Each reason is said once, not for every call. */
  #noteLoss(address: string, reason: string): void {
    const { logger } = this.#options;
    const isNew = this.#saidReasons.isNew(reason);
    if (this.#joined) logger.warn("scheduler.lost", { address, reason });
    else if (isNew) logger.warn("scheduler.waiting", { address, reason });
    if (this.#joined) this.#joinedUntilMs = performance.now();
    this.#joined = false;
  }

  #obey({ order }: WorkerOrder, address: string): void {
    const { onLeader, onMap, onSetExperts, onContextWorkers, onSetDrain, onDrainState, logger } = this.#options;
    if (order.case === "accepted") {
      logger.info("scheduler.joined", { address, epoch: String(order.value.leaderEpoch) });
      this.#joined = true;
      this.#failureCount = 0;
      this.#saidReasons.clear();
      onLeader(order.value.leaderEpoch);
      clearInterval(this.#heartbeat);
      this.#heartbeat = setInterval(() => this.#beat(order.value.heartbeatMs || HEARTBEAT_MS), CHANGE_MS);
    } else if (order.case === "sendCache") this.#sendSnapshot();
    else if (order.case === "setExperts") onSetExperts(order.value.layers);
    else if (order.case === "expertMap") onMap(order.value);
    else if (order.case === "contextWorkers") onContextWorkers(order.value);
    else if (order.case === "setDrain") onSetDrain(order.value.wanted);
    else if (order.case === "drainState") onDrainState(order.value);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#retry);
    this.#stream?.cancel();
    this.#client?.[Symbol.dispose]();
  }
}

import { create } from "@bufbuild/protobuf";
import { type Clock, DroverError, type Logger, sleepUnlessAborted } from "@drover/core";
import {
  Cluster,
  ExpertsLoadedSchema,
  type JoinHello,
  LayerExpertsSchema,
  LeavingSchema,
  type WorkerOrder,
  type WorkerReport,
  WorkerReportSchema,
  type WorkerStatus,
} from "@drover/proto";
import { bidiStreamOf, LivingStream, STREAM_LIMITS } from "@drover/rpc";
import type { LoadedExperts } from "../role.ts";
import { changesMessages, type ReportedCache, snapshotMessages } from "./cache-report.ts";
import type { SchedulerOrder } from "./scheduler-order.ts";

export type MembershipOptions = Readonly<{
  /** Schedulers' addresses; the leader is among them. */
  addresses: readonly string[];
  clock: Clock;
  logger: Logger;
}>;

/** Who joins: what is told of it, and who takes the scheduler's orders. */
export type Member = Readonly<{
  hello: JoinHello;
  status: () => WorkerStatus;
  loaded: () => LoadedExperts;
  obey: (order: SchedulerOrder) => void;
  /** What placement may know of the prefix cache; nothing is reported without it. */
  cache?: ReportedCache;
}>;

/** How often the status is reported, unless the scheduler says otherwise. */
const HEARTBEAT_MS = 1000;
/** Placement counts what it has handed out until the next status: a change is told this soon. */
const CHANGE_MS = 100;

/** A worker's stream to the leading scheduler: it joins, reports, and obeys. It lives until it is disposed. */
export class Membership implements Disposable {
  readonly #options: MembershipOptions;
  readonly #member: Member;
  readonly #stream: LivingStream<WorkerReport, WorkerOrder>;
  readonly #ended = new AbortController();
  /** When a scheduler last had this worker, by the monotonic clock. */
  #joinedUntilMs = Number.NEGATIVE_INFINITY;
  #heartbeatMs = HEARTBEAT_MS;
  #reported = "";
  #reportedAtMs = 0n;
  #cacheReportedAtMs = 0n;

  constructor(options: MembershipOptions, member: Member) {
    const { addresses, clock, logger } = options;
    this.#options = options;
    this.#member = member;
    this.#stream = new LivingStream({
      addresses,
      open: bidiStreamOf(Cluster.method.join),
      greeting: () => [reportOf({ case: "hello", value: member.hello }), this.#loaded(), this.#status()],
      onMessage: ({ order }) => this.#obey(order),
      onUp: (down) => {
        this.#cacheReportedAtMs = 0n;
        void this.#beat(down);
      },
      onDown: (reason, address) => {
        this.#joinedUntilMs = clock.monotonic();
        logger.warn("scheduler.lost", { address, reason });
      },
      onAway: (reason, address) => logger.warn("scheduler.waiting", { address, reason }),
      limits: STREAM_LIMITS.membership,
      clock,
    });
    void this.#stream.run(this.#ended.signal);
  }

  /** Whether a scheduler has this worker now. */
  get isUp(): boolean {
    return this.#stream.isUp;
  }

  /** Milliseconds since a scheduler last had this worker among its own; infinite before the first time. */
  leaderlessMs(nowMs: number): number {
    return this.#stream.isUp ? 0 : nowMs - this.#joinedUntilMs;
  }

  /** Reports the status now, for changes that placement should know of at once. */
  reportStatus(): void {
    this.#stream.send(this.#status());
  }

  /** Reports which experts are loaded. */
  reportLoaded(): void {
    this.#stream.send(this.#loaded());
  }

  /** No more placements; the stream stays until the link is disposed. */
  leave(): void {
    this.#stream.send(reportOf({ case: "leaving", value: create(LeavingSchema) }));
  }

  #status(): WorkerReport {
    return reportOf({ case: "status", value: this.#member.status() });
  }

  #loaded(): WorkerReport {
    const layers = this.#member.loaded().map((layer) => create(LayerExpertsSchema, layer));
    return reportOf({ case: "loaded", value: create(ExpertsLoadedSchema, { layers }) });
  }

  /** Reports changes soon, and all at each heartbeat, until the stream is down. */
  async #beat(down: AbortSignal): Promise<void> {
    for (;;) {
      await sleepUnlessAborted(this.#options.clock, CHANGE_MS, down);
      if (down.aborted) return;
      const now = this.#member.status();
      this.#reportCache(now.sentAtMs);
      const { runningCount, waitingCount, kvBytesUsed, ready, draining } = now;
      const facts = `${runningCount} ${waitingCount} ${kvBytesUsed} ${ready} ${draining}`;
      if (facts === this.#reported && now.sentAtMs - this.#reportedAtMs < BigInt(this.#heartbeatMs)) continue;
      this.#reported = facts;
      this.#reportedAtMs = now.sentAtMs;
      this.#stream.send(reportOf({ case: "status", value: now }));
    }
  }

  /**
   * Tells of what has changed in the prefix cache, ten times a second at most, and of its digest each heartbeat. What is lost on the way,
   * with a stream or in a cache that had to drop events, shows in the numbers and the digest: the scheduler then orders a snapshot. While the
   * stream has more to write than it takes, the events wait in the cache, which bounds them.
   */
  #reportCache(nowMs: bigint): void {
    const { cache } = this.#member;
    if (cache === undefined || this.#stream.isBlocked) return;
    const events = cache.takeEvents();
    if (events.length === 0 && nowMs - this.#cacheReportedAtMs < BigInt(this.#heartbeatMs)) return;
    this.#cacheReportedAtMs = nowMs;
    for (const value of changesMessages(events, cache.digest()))
      this.#stream.send(reportOf({ case: "cacheChanges", value }));
  }

  #sendSnapshot(): void {
    const { cache } = this.#member;
    // The next digest asks for it again.
    if (cache === undefined || this.#stream.isBlocked) return;
    for (const value of snapshotMessages(cache.snapshot()))
      this.#stream.send(reportOf({ case: "cacheSnapshot", value }));
  }

  #obey(order: WorkerOrder["order"]): void {
    const { obey } = this.#member;
    if (order.case === "accepted") {
      this.#heartbeatMs = order.value.heartbeatMs || HEARTBEAT_MS;
      this.#stream.up();
      const epoch = order.value.leaderEpoch;
      this.#options.logger.info("scheduler.joined", { address: this.#stream.address, epoch: String(epoch) });
      obey({ kind: "lead", epoch });
    } else if (order.case === "sendCache") this.#sendSnapshot();
    else if (order.case === "setExperts") obey({ kind: "hold", layers: order.value.layers });
    else if (order.case === "expertMap") obey({ kind: "map", map: order.value });
    else if (order.case === "contextWorkers") obey({ kind: "context_workers", workers: order.value });
    else if (order.case === "setDrain") obey({ kind: "drain", wanted: order.value.wanted });
    else if (order.case === "drainState") obey({ kind: "drain_state", state: order.value });
  }

  [Symbol.dispose](): void {
    this.#ended.abort(new DroverError("cancelled", "the worker has left"));
  }
}

function reportOf(report: WorkerReport["report"]): WorkerReport {
  const message = create(WorkerReportSchema);
  message.report = report;
  return message;
}

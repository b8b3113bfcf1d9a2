import { type Clock, DroverError, type Logger, sleepUnlessAborted, Wakeup } from "@drover/core";
import type { ExpertRows, ExpertSet, WorkerStatus } from "@drover/fleet";
import { LivingStream, type OpenStream, STREAM_LIMITS } from "@drover/rpc";
import type { JoinHello, WorkerOrder, WorkerReport } from "@drover/wire";
import {
  BUSY_HEARTBEAT_MS,
  CACHE_CHANGE_MS,
  EXPERT_ROWS_MS,
  HEARTBEAT_MS,
  KV_STEPS_TOLD,
  STATUS_CHANGE_MS,
} from "../limits.ts";
import { changesOf, type ReportedCache, snapshotParts } from "./cache-report.ts";
import { EpochFence } from "./epoch-fence.ts";

/** A look that comes so early after the last report is one of the next heartbeat: looks are a little early and late, and waiting for another would be a heartbeat left out. */
const EARLY_PART = 0.9;

export type MembershipOptions = Readonly<{
  /** Schedulers' addresses; the leader is among them. */
  addresses: readonly string[];
  /** Calls one of them. An order that is undefined is one that only later builds know. */
  open: OpenStream<WorkerReport, WorkerOrder | undefined>;
  clock: Clock;
  logger: Logger;
  /** Draws from [0, 1): what the waits between two calls are cut by; real chance unless given. */
  chance?: () => number;
}>;

/** Who joins: what is told of it, and who takes the scheduler's orders. */
export type Member = Readonly<{
  hello: JoinHello;
  status: () => WorkerStatus;
  loaded: () => ExpertSet;
  obey: (order: WorkerOrder) => void;
  /** Rows that its requests were routed to each expert since it started; a worker without requests has none. */
  expertRows?: () => ExpertRows;
  /** What placement may know of the prefix cache; nothing is reported without it. */
  cache?: ReportedCache;
}>;

/** A worker's stream to the leading scheduler: it joins, reports, and obeys. It lives until it is disposed. */
export class Membership implements Disposable {
  readonly #options: MembershipOptions;
  readonly #member: Member;
  readonly #stream: LivingStream<WorkerReport, WorkerOrder | undefined>;
  readonly #ended = new AbortController();
  readonly #fence = new EpochFence();
  readonly #news = new Wakeup();
  /** When a scheduler last had this worker, by the monotonic clock. */
  #joinedUntilMs = Number.NEGATIVE_INFINITY;
  #heartbeatMs: number = HEARTBEAT_MS;
  #reported = "";
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #cacheReportedAtMs = Number.NEGATIVE_INFINITY;
  #rowsReportedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: MembershipOptions, member: Member) {
    const { addresses, open, clock, logger, chance = Math.random } = options;
    this.#options = options;
    this.#member = member;
    this.#stream = new LivingStream({
      addresses,
      open,
      greeting: () => [{ kind: "hello", hello: member.hello }, this.#loaded(), this.#status()],
      onMessage: (order) => this.#obey(order),
      onUp: (down) => {
        this.#cacheReportedAtMs = Number.NEGATIVE_INFINITY;
        void this.#beat(down);
      },
      onDown: (reason, address) => {
        this.#joinedUntilMs = clock.monotonic();
        this.#fence.heard(this.#joinedUntilMs);
        logger.warn("scheduler.lost", { address, reason });
      },
      onAway: (reason, address) => logger.warn("scheduler.waiting", { address, reason }),
      limits: STREAM_LIMITS.membership,
      clock,
      chance,
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
    this.#send(this.#status());
  }

  /** Something was taken on, or changes by itself from now on: the status is looked at soon, and often as long as there is work. */
  noteNews(): void {
    this.#news.wake();
  }

  /** Reports which experts are loaded. */
  reportLoaded(): void {
    this.#send(this.#loaded());
  }

  /** No more placements; the stream stays until the link is disposed. */
  leave(): void {
    this.#send({ kind: "leaving" });
  }

  #send(report: WorkerReport): void {
    this.#stream.send(report);
  }

  #status(): WorkerReport {
    return { kind: "status", status: this.#member.status() };
  }

  #loaded(): WorkerReport {
    return { kind: "loaded", experts: this.#member.loaded() };
  }

  /** Reports changes soon, and all at each heartbeat, until the stream is down. */
  async #beat(down: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let isQuiet = false;
    while (!down.aborted) {
      if (isQuiet) await this.#news.waitOutPeriod(this.#heartbeatMs, clock, down);
      else await sleepUnlessAborted(clock, STATUS_CHANGE_MS, down);
      if (down.aborted) return;
      isQuiet = this.#report(this.#member.status());
    }
  }

  /** What is new in the status, or all that is due. Whether nothing is going on: until it is told of news, a look at each heartbeat is enough. */
  #report(status: WorkerStatus): boolean {
    const facts = factsOf(status);
    const isChanged = facts !== this.#reported;
    this.#reportCache(status.sentAtMs, isChanged);
    const isBusy = status.runningCount + status.waitingCount > 0;
    const heartbeatMs = isBusy ? Math.min(BUSY_HEARTBEAT_MS, this.#heartbeatMs) : this.#heartbeatMs;
    if (isChanged || status.sentAtMs - this.#reportedAtMs >= EARLY_PART * heartbeatMs) {
      this.#reported = facts;
      this.#reportedAtMs = status.sentAtMs;
      this.#send({ kind: "status", status: this.#withRows(status) });
    }
    return !isChanged && status.ready && !status.draining && !isBusy;
  }

  /** The status, now and then with the rows that each expert was asked for: they are many numbers, and nobody decides by them soon. */
  #withRows(status: WorkerStatus): WorkerStatus {
    const { expertRows } = this.#member;
    if (expertRows === undefined || status.sentAtMs - this.#rowsReportedAtMs < EXPERT_ROWS_MS) return status;
    this.#rowsReportedAtMs = status.sentAtMs;
    return { ...status, expertRows: expertRows() };
  }

  /**
   * Tells of what has changed in the prefix cache: with each change of the status, a few times a second besides, and of its digest each heartbeat.
   * What is lost on the way, with a stream or in a cache that had to drop events, shows in the numbers and the digest: the scheduler then orders
   * a snapshot. While the stream has more to write than it takes, the events wait in the cache, which bounds them.
   */
  #reportCache(nowMs: number, isStatusChanged: boolean): void {
    const { cache } = this.#member;
    if (cache === undefined || this.#stream.isBlocked) return;
    const sinceMs = nowMs - this.#cacheReportedAtMs;
    if (!isStatusChanged && sinceMs < CACHE_CHANGE_MS) return;
    const events = cache.takeEvents();
    if (events.length === 0 && sinceMs < this.#heartbeatMs) return;
    this.#cacheReportedAtMs = nowMs;
    for (const changes of changesOf(events, cache.digest())) this.#send({ kind: "cache_changes", changes });
  }

  #sendSnapshot(): void {
    const { cache } = this.#member;
    // The next digest asks for it again.
    if (cache === undefined || this.#stream.isBlocked) return;
    for (const part of snapshotParts(cache.snapshot())) this.#send({ kind: "cache_snapshot", part });
  }

  /** Undefined is an order that only later builds know. */
  #obey(order: WorkerOrder | undefined): void {
    if (order === undefined) return;
    if (order.kind === "send_cache") this.#sendSnapshot();
    if (order.kind === "accepted") {
      if (!this.#fence.admits(order.leaderEpoch, this.#options.clock.monotonic()))
        throw new DroverError("stale_epoch", "a newer scheduler leads");
      this.#heartbeatMs = order.heartbeatMs || HEARTBEAT_MS;
      this.#stream.up();
      const epoch = String(order.leaderEpoch);
      this.#options.logger.info("scheduler.joined", { address: this.#stream.address, epoch });
    }
    this.#member.obey(order);
    this.noteNews();
  }

  [Symbol.dispose](): void {
    this.#ended.abort(new DroverError("cancelled", "the worker has left"));
  }
}

/** What of a status is told as soon as it changes: whatever else placement goes by grows slowly, and a heartbeat is soon enough for it. */
function factsOf(status: WorkerStatus): string {
  const { runningCount, waitingCount, kvBytesUsed, kvBytesMax, pendingPromptMs, ready, draining, slowPeers } = status;
  const kvSteps = kvBytesMax === 0 ? 0 : Math.ceil((kvBytesUsed * KV_STEPS_TOLD) / kvBytesMax);
  const silent = slowPeers.filter(({ isSilent }) => isSilent).map(({ workerId }) => workerId);
  return `${runningCount} ${waitingCount} ${pendingPromptMs.length} ${kvSteps} ${ready} ${draining} ${silent}`;
}

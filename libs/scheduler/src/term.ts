import {
  type Clock,
  DroverError,
  LANES,
  type Lane,
  type LaneDepth,
  type Logger,
  type ModelId,
  neverAborted,
  type PayloadStore,
  type QueueConsumer,
  type RouterId,
  restOfPeriod,
  sleepUnlessAborted,
  type Tracer,
  toDroverError,
  Wakeup,
  withTimeout,
} from "@drover/core";
import type { ClusterState, DrainReply, DrainRequest, MembershipChange, ReplicaPolicy } from "@drover/fleet";
import type { JoinHello, WorkerReport } from "@drover/wire";
import { clusterState, isServing } from "./fleet/cluster-state.ts";
import { Fleet } from "./fleet/fleet.ts";
import type { OrderSink } from "./fleet/join-streams.ts";
import { PrefixDirectory } from "./fleet/prefix-directory.ts";
import { type AskPulse, Pulses } from "./fleet/pulses.ts";
import { Routers, type StateSink } from "./fleet/routers.ts";
import { Capacities } from "./lanes/capacities.ts";
import type { DecisionLog } from "./lanes/decision-log.ts";
import { LaneForecasts } from "./lanes/lane-forecasts.ts";
import { LanePlacer } from "./lanes/lane-placer.ts";
import type { PlaceCaller } from "./lanes/place-caller.ts";
import { Placer } from "./lanes/placer.ts";
import { QUEUE_CALL_LIMIT, SETTLE_MS, STATE_INTERVAL_MS, TICK_MS_MAX } from "./limits.ts";
import type { SchedulerMetrics } from "./scheduler-metrics.ts";

export type TermOptions = Readonly<{
  modelId: ModelId;
  schedulerId: string;
  leaderEpoch: bigint;
  expectExperts: number;
  /** What copies of experts there are to be; none unless given. */
  replicas?: ReplicaPolicy;
  /** A worker gets nothing that it is predicted to begin later than this. */
  beginWithinMs: number;
  decisions: DecisionLog;
  queue: QueueConsumer;
  payloads: Pick<PayloadStore, "get">;
  caller: PlaceCaller;
  /** Asks a worker's process whether it lives; nobody is found frozen without it. */
  askPulse?: AskPulse;
  clock: Clock;
  logger: Logger;
  tracer?: Tracer;
  metrics: SchedulerMetrics;
}>;

/** One leadership: the fleet as its workers report it, the routers that watch, and the lanes. All of it is made anew by the next. */
export class Term {
  readonly #options: TermOptions;
  readonly #fleet: Fleet;
  readonly #routers = new Routers();
  readonly #capacities: Capacities;
  readonly #lanes: ReadonlyMap<string, LanePlacer>;
  readonly #prefixes = new PrefixDirectory();
  readonly #decisions: DecisionLog;
  readonly #forecasts: LaneForecasts;
  readonly #pulses: Pulses;
  readonly #startedAtMs: number;
  /** Something has changed that the tick tells, or that is due sooner than it knew. */
  readonly #news = new Wakeup();
  /** When the tick looks again, unless it is woken. */
  #tickAtMs = Number.POSITIVE_INFINITY;
  #settled = false;
  #serving = false;
  #depths: readonly LaneDepth[] = [];

  constructor(options: TermOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.monotonic();
    this.#decisions = options.decisions;
    this.#forecasts = new LaneForecasts(options.clock);
    this.#fleet = new Fleet({
      ...options,
      prefixes: this.#prefixes,
      onChange: (changes, mapChanged) => this.#changed(changes, mapChanged),
    });
    this.#pulses = new Pulses({
      ask: options.askPulse,
      clock: options.clock,
      member: (session) => this.#fleet.bySession(session),
      onFrozen: (session) => this.#fleet.freeze(session, this.#now()),
      onDue: () => this.#news.wake(),
    });
    this.#capacities = new Capacities(() => this.#fleet.members);
    const known = { ...options, capacities: this.#capacities, prefixes: this.#prefixes, decisions: this.#decisions };
    const placer = new Placer(known);
    const onPlaced = (lane: Lane) => this.#forecasts.placed(lane);
    const shared = { ...known, placer, onPlaced, routers: this.#routers, pulses: this.#pulses };
    const member = this.#fleet.get.bind(this.#fleet);
    this.#lanes = new Map(LANES.map((lane) => [lane, new LanePlacer({ ...shared, member, lane })]));
  }

  /** A request can be served now. */
  get serving(): boolean {
    return isServing(this.#fleet);
  }

  join(hello: JoinHello, sink: OrderSink): number {
    return this.#fleet.join(hello, sink, this.#now());
  }

  report(session: number, report: WorkerReport): void {
    this.#fleet.report(session, report, this.#now());
    const askDueMs = this.#pulses.dueMsOf(this.#fleet.bySession(session));
    if (Math.min(this.#fleet.planDueMs, askDueMs) < this.#tickAtMs) this.#news.wake();
  }

  end(session: number): void {
    this.#fleet.end(session, this.#now());
  }

  /** Asks a worker to drain, or to serve again. Errors: `not_found`, with the names that there are. */
  drain(request: DrainRequest): DrainReply {
    return this.#fleet.drain(request);
  }

  watch(router: RouterId, sink: StateSink): void {
    this.#routers.add(router, sink, this.#now());
    this.#news.wake();
  }

  unwatch(sink: StateSink): void {
    this.#routers.remove(sink, this.#now());
    this.#news.wake();
  }

  /** The state as routers see it. */
  state(): ClusterState {
    const { clock, modelId, schedulerId, leaderEpoch } = this.#options;
    return clusterState({
      modelId,
      schedulerId,
      leaderEpoch,
      fleet: this.#fleet,
      capacities: this.#capacities,
      prefixes: this.#prefixes,
      forecasts: this.#forecasts,
      depths: this.#depths,
      routers: this.#routers.watching,
      wallMs: clock.now(),
      nowMs: this.#now(),
    });
  }

  /** Leads until the signal aborts: placing stops and all streams end at once, then the leases go back. Rejects for bugs only. */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const stop = () => {
      this.#close();
      failed.abort(new DroverError("cancelled", "this scheduler does not lead any more"));
    };
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const removeListener = this.#options.queue.onAvailable(() => this.#wakeLanes());
    const loops = [...this.#lanes.values()].map((lane) => lane.run(failed.signal));
    loops.push(this.#tickLoop(failed.signal), this.#queueLoop(failed.signal));
    try {
      await Promise.all(loops);
    } finally {
      stop();
      signal.removeEventListener("abort", stop);
      removeListener();
      await Promise.allSettled(loops);
    }
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }

  #close(): void {
    const error = new DroverError("not_leader", "this scheduler does not lead any more");
    this.#fleet.close(error);
    this.#routers.close(error);
  }

  #wakeLanes(): void {
    for (const lane of this.#lanes.values()) lane.wake();
  }

  #changed(changes: readonly MembershipChange[], mapChanged: boolean): void {
    this.#capacities.observe(changes, this.#now());
    for (const change of changes) {
      if (change.kind !== "gone") continue;
      this.#options.caller.forget(change.member.profile.workerId);
      this.#options.metrics.fleet.gone(change.reason);
    }
    const serving = isServing(this.#fleet);
    if (mapChanged || serving !== this.#serving || changes.some(({ kind }) => kind !== "status")) {
      this.#routers.touch();
      this.#news.wake();
    }
    if (serving !== this.#serving) this.#options.logger.info("cluster.serving", { serving });
    this.#serving = serving;
    if (!this.#settled && this.#isFresh()) {
      this.#settled = true;
      this.#news.wake();
    }
    // Heartbeats come from every worker each second, and most of them say what is known.
    if (changes.some(({ kind }) => kind !== "status")) this.#wakeLanes();
    else for (const lane of this.#lanes.values()) lane.wakeForRoom();
  }

  /** All who are here have just started: no router can know workers that are still to come back. */
  #isFresh(): boolean {
    const members = this.#fleet.members;
    const started = ({ loaded }: (typeof members)[number]) =>
      [...(loaded?.values() ?? [])].some(({ size }) => size > 0);
    return members.length > 0 && members.every((member) => member.status?.ready === false && !started(member));
  }

  async #tickLoop(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const now = this.#now();
      this.#fleet.tick(now);
      this.#pulses.look(this.#fleet.members, now);
      this.#settled ||= now - this.#startedAtMs >= SETTLE_MS;
      if (this.#settled) {
        this.#fleet.publish();
        this.#routers.flush(() => this.state(), now);
      }
      this.#tickAtMs = this.#nextTickMs();
      await this.#news.wait(Math.max(0, this.#tickAtMs - this.#now()), clock, signal);
    }
  }

  #nextTickMs(): number {
    const settledMs = this.#settled ? this.#routers.dueMs : this.#startedAtMs + SETTLE_MS;
    return Math.min(this.#now() + TICK_MS_MAX, this.#fleet.dueMs, this.#pulses.dueMs, settledMs);
  }

  /** Depths and routers that are gone; a queue that cannot be reached is said once. */
  async #queueLoop(signal: AbortSignal): Promise<void> {
    const { clock, queue, logger } = this.#options;
    const inTime = <T>(call: (limited: AbortSignal) => Promise<T>): Promise<T> =>
      withTimeout(QUEUE_CALL_LIMIT, clock, neverAborted, call);
    let failing = false;
    while (!signal.aborted) {
      try {
        for (const router of this.#routers.expire(this.#now())) {
          const count = await inTime((limited) => queue.dropRouter(router, limited));
          logger.info("router.gone", { router, droppedJobCount: count });
        }
        const depths = await inTime((limited) => queue.depth(limited));
        if (signal.aborted) return;
        this.#note(depths);
        failing = false;
      } catch (error) {
        const { code, message } = toDroverError(error);
        if (!failing) logger.warn("queue.failed", { code, message });
        failing = true;
      }
      await sleepUnlessAborted(clock, restOfPeriod(this.#now(), STATE_INTERVAL_MS), signal);
    }
  }

  #note(depths: readonly LaneDepth[]): void {
    const { metrics, clock } = this.#options;
    this.#depths = depths.map((depth) => {
      const heldCount = this.#lanes.get(depth.lane)?.heldCount ?? 0;
      return { ...depth, waitingCount: depth.waitingCount + heldCount };
    });
    this.#forecasts.note(this.#depths);
    metrics.queue(this.#depths, (lane) => this.#forecasts.of(lane), clock.now());
    const { members, expertMap, expertShortageCount } = this.#fleet;
    metrics.fleet.note(members, this.#routers.watching.length, expertMap, expertShortageCount);
  }
}

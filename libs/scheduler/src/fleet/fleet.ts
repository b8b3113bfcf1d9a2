import { assert, assertNever, DroverError, type Logger, type ModelId, type WorkerId } from "@drover/core";
import {
  type DrainReply,
  type DrainRequest,
  type DrainState,
  type ExpertMap,
  ExpertPlanner,
  firstMapEpoch,
  type GoneReason,
  HEARTBEAT_MS,
  type Member,
  Membership,
  type MembershipChange,
  NO_REPLICAS,
  NO_STATUS,
  type ReplicaPolicy,
  type ServedCheckpoint,
  type WorkerProfile,
  type WorkerStatus,
} from "@drover/fleet";
import type { CacheChanges, JoinHello, WorkerReport } from "@drover/wire";
import { Agreement } from "./agreement.ts";
import { contextNews } from "./context-news.ts";
import { DrainNews, drainReply, memberNamed } from "./drain-news.ts";
import { drainState, shortageText } from "./drain-state.ts";
import { DrainWishes } from "./drain-wishes.ts";
import { emptyMap, expertMap } from "./expert-map.ts";
import { expertWorkers } from "./expert-workers.ts";
import { HeatReports } from "./heat-reports.ts";
import { JoinStreams, type OrderSink } from "./join-streams.ts";
import type { PrefixDirectory } from "./prefix-directory.ts";

export type FleetOptions = Readonly<{
  modelId: ModelId;
  schedulerId: string;
  leaderEpoch: bigint;
  expectExperts: number;
  /** What copies of experts there are to be; none unless given. */
  replicas?: ReplicaPolicy;
  logger: Logger;
  prefixes: PrefixDirectory;
  /** After everything that follows from a report has been decided and sent. */
  onChange: (changes: readonly MembershipChange[], mapChanged: boolean) => void;
}>;

const GONE: Record<GoneReason, DroverError | undefined> = {
  disconnected: undefined,
  silent: new DroverError("unavailable", "no heartbeat came for too long: join again"),
  replaced: new DroverError("stale_epoch", "the worker joined again on another stream"),
};

/** The workers and the expert map of one leadership: reports in, orders out. Synchronous; `now` is monotonic milliseconds. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #membership = new Membership();
  readonly #streams = new JoinStreams();
  readonly #agreement: Agreement;
  readonly #drains = new DrainNews();
  readonly #wishes = new DrainWishes();
  readonly #heat = new HeatReports();
  #planner: ExpertPlanner | undefined;
  #map: ExpertMap;
  /** Maps go out from the first complete one on, or once workers had the time to come back. */
  #published = false;
  #closed = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#agreement = new Agreement(options.modelId);
    this.#map = emptyMap(options.modelId, firstMapEpoch(options.leaderEpoch));
  }

  get members(): readonly Member[] {
    return this.#membership.members;
  }

  get(worker: WorkerId): Member | undefined {
    return this.#membership.get(worker);
  }

  /** How far a draining member is; undefined for one that serves. */
  drainState(member: Member): DrainState | undefined {
    return drainState(member, this.#planner);
  }

  /** What memory forbids, as a sentence; undefined when it forbids nothing. */
  get expertShortage(): string | undefined {
    const shortage = this.#planner?.shortage;
    return shortage && shortageText(shortage);
  }

  /** Experts for which the workers that stay have no memory. */
  get expertShortageCount(): number {
    return this.#planner?.shortage?.missingCount ?? 0;
  }

  get expertMap(): ExpertMap {
    return this.#map;
  }

  /** Of the checkpoint that the workers serve; undefined before the first one. */
  get fingerprint(): string | undefined {
    return this.#agreement.checkpoint?.fingerprint;
  }

  /**
   * A worker's hello on a new stream; the result names the stream in what follows. Errors: `invalid_argument` for another
   * protocol, model or checkpoint, `overloaded` when the fleet is full.
   */
  join(hello: JoinHello, sink: OrderSink, now: number): number {
    const { profile, checkpoint } = hello;
    if (this.#agreement.check(hello, this.members)) this.#serve(checkpoint, profile);
    const session = this.#streams.open(sink);
    const changes = this.#membership.join(profile, session, now);
    const { leaderEpoch, schedulerId, logger } = this.#options;
    sink.send({ kind: "accepted", leaderEpoch, schedulerId, heartbeatMs: HEARTBEAT_MS });
    logger.info("worker.joined", {
      worker: profile.workerId,
      incarnation: profile.incarnation,
      address: profile.address,
    });
    this.#settle(changes, now);
    return session;
  }

  /** Anything but a hello. Errors: `invalid_argument` for a second hello. */
  report(session: number, report: WorkerReport, now: number): void {
    if (!this.#streams.isOpen(session)) return;
    const changes = this.#take(session, report, now);
    // What a cache tells, many times a second, changes no member: whatever is due by time is the tick's.
    if (changes.length > 0) this.#settle(changes, now);
  }

  /** A member that speaks by this session as it was when it was last heard. */
  bySession(session: number): Member | undefined {
    return this.#membership.bySession(session);
  }

  /** The worker's process does not answer: what it has goes on elsewhere. */
  freeze(session: number, now: number): void {
    this.#settle(this.#membership.freeze(session, now), now);
  }

  /** The stream ended. */
  end(session: number, now: number): void {
    this.#settle(this.#membership.disconnect(session), now);
  }

  /** Asks a worker to drain, or to serve again, and says how far it is. Errors: `not_found`, with the names that there are. */
  drain({ workerId, undo, incarnation }: DrainRequest): DrainReply {
    const member = memberNamed(workerId, this.members);
    const wanted = !undo;
    const isMeant = incarnation === undefined || incarnation === member.profile.incarnation;
    if (isMeant && this.#wishes.want(member, wanted)) this.#streams.send(member, { kind: "set_drain", wanted });
    return drainReply(member, this.drainState(member));
  }

  /** Workers had the time to come back: a map that is incomplete now is the truth. */
  publish(): void {
    if (this.#published) return;
    this.#published = true;
    for (const member of this.members) this.#sendMap(member);
  }

  /** When somebody is silent for too long, or the planner has something to do, though nothing was reported. */
  get dueMs(): number {
    return Math.min(this.#membership.dueMs, this.planDueMs);
  }

  /** When the planner has something to do though nothing was reported. */
  get planDueMs(): number {
    return this.#planner?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** Silences, and what the planner has to do by now. To be called at `dueMs`. */
  tick(now: number): void {
    const changes = this.#membership.tick(now);
    if (changes.length > 0 || now >= this.planDueMs) this.#settle(changes, now);
  }

  /** Ends all streams: the workers look for the next leader. */
  close(error: DroverError): void {
    this.#closed = true;
    this.#streams.endAll(error);
  }

  #take(session: number, report: WorkerReport, now: number): readonly MembershipChange[] {
    const member = this.#membership.bySession(session);
    switch (report.kind) {
      case "status":
        return this.#takeStatus(session, report.status, now);
      case "loaded":
        return this.#membership.loaded(session, report.experts, now);
      case "leaving":
        return this.#membership.leave(session, now);
      case "cache_changes":
        if (member !== undefined) this.#takeCacheChanges(member, report.changes, now);
        return [];
      case "cache_snapshot":
        if (member !== undefined) this.#options.prefixes.restore(member.profile.workerId, report.part);
        return [];
      case "hello":
        throw new DroverError("invalid_argument", "a worker says hello once on a stream");
      default:
        return assertNever(report);
    }
  }

  /** Which experts were asked for is the planner's, and told nobody else. What an operator wants and the status denies is said again. */
  #takeStatus(session: number, { expertRows, ...status }: WorkerStatus, now: number): readonly MembershipChange[] {
    const member = this.#membership.bySession(session);
    if (member !== undefined && expertRows.size > 0) this.#planner?.observe(this.#heat.news(member, expertRows), now);
    const changes = this.#membership.status(session, { ...status, expertRows: NO_STATUS.expertRows }, now);
    const told = this.#membership.bySession(session);
    const wanted = told && this.#wishes.unmet(told);
    if (told !== undefined && wanted !== undefined) this.#streams.send(told, { kind: "set_drain", wanted });
    return changes;
  }

  #takeCacheChanges(member: Member, changes: CacheChanges, now: number): void {
    const isInexact = this.#options.prefixes.change(member.profile.workerId, changes, now);
    if (isInexact) this.#streams.send(member, { kind: "send_cache" });
  }

  #serve({ chunkTokens, moeLayers, expertCount }: ServedCheckpoint, { expertParameters }: WorkerProfile): void {
    this.#options.prefixes.serve(chunkTokens);
    const epoch = this.#planner?.epoch ?? firstMapEpoch(this.#options.leaderEpoch);
    const { expectExperts, replicas = NO_REPLICAS } = this.#options;
    const served = { layers: moeLayers, expertCount, expertParameters };
    this.#planner = new ExpertPlanner({ ...served, expectExperts, replicas, epoch });
  }

  #settle(changes: readonly MembershipChange[], now: number): void {
    if (this.#closed) return;
    for (const change of changes) if (change.kind !== "status" && change.kind !== "joined") this.#log(change);
    const mapChanged = this.#plan(changes, now);
    if (!mapChanged) for (const { kind, member } of changes) if (kind === "joined") this.#sendMap(member);
    this.#sendContextWorkers(changes);
    for (const [member, state] of this.#drains.changed(this.members, (one) => this.drainState(one)))
      this.#streams.send(member, { kind: "drain_state", state });
    for (const change of changes) {
      if (change.kind !== "gone") continue;
      // Also of the same life on another stream: its digest tells whether anything is missing.
      this.#options.prefixes.forget(change.member.profile.workerId);
      this.#streams.close(change.member.session, GONE[change.reason]);
      if (change.reason !== "replaced") this.#heat.forget(change.member.profile.workerId);
      this.#drains.forget(change.member.session);
    }
    if (changes.length > 0 || mapChanged) this.#options.onChange(changes, mapChanged);
  }

  /** Whether the map changed; orders and map are on their way then. */
  #plan(changes: readonly MembershipChange[], now: number): boolean {
    const planner = this.#planner;
    const onlyStatus = changes.length > 0 && changes.every((change) => change.kind === "status");
    if (planner === undefined || (onlyStatus && now < planner.dueMs)) return false;
    const short = this.expertShortage;
    const { mapChanged, orders } = planner.update(expertWorkers(this.members), now);
    if (this.expertShortage !== short && this.expertShortage !== undefined)
      this.#options.logger.warn("experts.short_of_memory", { reason: this.expertShortage });
    for (const [worker, share] of orders) {
      const member = this.#membership.get(worker);
      assert(member !== undefined, "orders go to members");
      const experts = new Map([...share].map(([layer, wanted]) => [layer, new Set(wanted)]));
      this.#streams.send(member, { kind: "set_experts", mapEpoch: planner.epoch, experts });
    }
    if (mapChanged) {
      const { modelId, logger, leaderEpoch } = this.#options;
      assert(planner.epoch < firstMapEpoch(leaderEpoch + 1n), "a leader's map epochs stay below those of the next");
      this.#map = expertMap(modelId, planner, this.members);
      logger.info("map.changed", { epoch: Number(planner.epoch), complete: planner.complete });
      // Until then, workers that serve already follow the map of the last leader.
      this.#published ||= planner.complete;
      for (const member of this.members) this.#sendMap(member);
    }
    return mapChanged;
  }

  #sendMap(member: Member): void {
    if (!this.#published || !member.profile.roles.includes("attention")) return;
    this.#streams.send(member, { kind: "expert_map", map: this.#map });
  }

  #sendContextWorkers(changes: readonly MembershipChange[]): void {
    const { told, workers } = contextNews(changes, this.members);
    for (const member of told) this.#streams.send(member, { kind: "context_workers", workers });
  }

  #log(change: MembershipChange): void {
    const fields = { worker: change.member.profile.workerId, incarnation: change.member.profile.incarnation };
    if (change.kind === "gone") this.#options.logger.warn("worker.gone", { ...fields, reason: change.reason });
    else this.#options.logger.info(`worker.${change.kind}`, fields);
  }
}

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { assert, DroverError, type Logger, type ModelId, type WorkerId } from "@drover/core";
import {
  ExpertPlanner,
  firstMapEpoch,
  type GoneReason,
  HEARTBEAT_MS,
  type Member,
  Membership,
  type MembershipChange,
} from "@drover/fleet";
import {
  ContextWorkersSchema,
  type DrainReply,
  type DrainRequest,
  type DrainState,
  type ExpertMap,
  ExpertMapSchema,
  type JoinHello,
  SendCacheSchema,
  SetDrainSchema,
  type WorkerOrder,
  WorkerOrderSchema,
  type WorkerReport,
  type WorkerStatus,
} from "@drover/proto";
import { loadedFromWire, mapToWire, orderToWire, profileFromHello, statusFromWire } from "../wire.ts";
import { Agreement, type Pin } from "./agreement.ts";
import { contextNews } from "./context-news.ts";
import { DrainNews, drainReply, memberNamed } from "./drain-news.ts";
import { drainState, shortageText } from "./drain-state.ts";
import { expertWorkers } from "./expert-workers.ts";
import type { PrefixDirectory } from "./prefix-directory.ts";

/** Of each kind only the newest order matters. */
type OrderKind =
  | "accepted"
  | "set_experts"
  | "expert_map"
  | "send_cache"
  | "context_workers"
  | "set_drain"
  | "drain_state";

/** The scheduler's half of one Join stream. */
export interface OrderSink {
  send(kind: OrderKind, order: WorkerOrder): void;
  /** Ends the stream with the fault. */
  end(error: DroverError): void;
}

export type FleetOptions = Readonly<{
  modelId: ModelId;
  schedulerId: string;
  leaderEpoch: bigint;
  expectExperts: number;
  logger: Logger;
  prefixes: PrefixDirectory;
  /** After everything that follows from a report has been decided and sent. */
  onChange: (changes: readonly MembershipChange[], mapChanged: boolean) => void;
}>;

type Session = { readonly sink: OrderSink; readonly kvDtype: string; status: WorkerStatus | undefined };

const GONE: Record<GoneReason, DroverError | undefined> = {
  disconnected: undefined,
  silent: new DroverError("unavailable", "no heartbeat came for too long: join again"),
  replaced: new DroverError("stale_epoch", "the worker joined again on another stream"),
};

/** The workers and the expert map of one leadership: reports in, orders out. Synchronous; `now` is monotonic milliseconds. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #membership = new Membership();
  readonly #sessions = new Map<number, Session>();
  readonly #agreement: Agreement;
  readonly #drains = new DrainNews();
  #sessionCount = 0;
  #planner: ExpertPlanner | undefined;
  #map: ExpertMap;
  /** Maps go out from the first complete one on, or once workers had the time to come back. */
  #published = false;
  #closed = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#agreement = new Agreement({ modelId: options.modelId, kvDtype: (member) => this.kvDtype(member) });
    this.#map = create(ExpertMapSchema, { modelId: options.modelId, epoch: firstMapEpoch(options.leaderEpoch) });
  }

  get members(): readonly Member[] {
    return this.#membership.members;
  }

  get(worker: WorkerId): Member | undefined {
    return this.#membership.get(worker);
  }

  /** The member's last status as it was sent. */
  wireStatus(member: Member): WorkerStatus | undefined {
    return this.#sessions.get(member.session)?.status;
  }

  /** What the member keeps KV as; empty where it keeps none. */
  kvDtype(member: Member): string {
    return this.#sessions.get(member.session)?.kvDtype ?? "";
  }

  /** How far a draining member is; undefined for one that serves. */
  drainState(member: Member): DrainState | undefined {
    return drainState(member, this.#planner);
  }

  /** What memory forbids, as a sentence; empty when it forbids nothing. */
  get expertShortage(): string {
    const shortage = this.#planner?.shortage;
    return shortage === undefined ? "" : shortageText(shortage);
  }

  /** Experts for which the workers that stay have no memory. */
  get expertShortageCount(): number {
    return this.#planner?.shortage?.missingCount ?? 0;
  }

  get expertMap(): ExpertMap {
    return this.#map;
  }

  /** Of the checkpoint that the workers serve; empty before the first one. */
  get fingerprint(): string {
    return this.#agreement.pin?.fingerprint ?? "";
  }

  /**
   * A worker's hello on a new stream; the result names the stream in what follows. Errors: `invalid_argument` for another
   * protocol, model or checkpoint, `overloaded` when the fleet is full.
   */
  join(hello: JoinHello, sink: OrderSink, now: number): number {
    const profile = profileFromHello(hello);
    if (this.#agreement.check(hello, this.members)) this.#serve(this.#agreement.pin);
    const session = ++this.#sessionCount;
    const changes = this.#membership.join(profile, session, now);
    const previous = changes.find((change) => change.kind === "gone")?.member;
    const sameLife = previous?.profile.incarnation === profile.incarnation ? previous : undefined;
    this.#sessions.set(session, { sink, kvDtype: hello.kvDtype, status: sameLife && this.wireStatus(sameLife) });
    const { leaderEpoch, schedulerId, logger } = this.#options;
    sink.send("accepted", order({ case: "accepted", value: { leaderEpoch, schedulerId, heartbeatMs: HEARTBEAT_MS } }));
    logger.info("worker.joined", {
      worker: profile.workerId,
      incarnation: profile.incarnation,
      address: profile.address,
    });
    this.#settle(changes, now);
    return session;
  }

  /** Anything but a hello. Errors: `invalid_argument` for a second hello and for an empty report. */
  report(session: number, { report }: WorkerReport, now: number): void {
    const state = this.#sessions.get(session);
    if (state === undefined) return;
    this.#settle(this.#take(session, state, report, now), now);
  }

  /** The stream ended. */
  end(session: number, now: number): void {
    this.#settle(this.#membership.disconnect(session), now);
  }

  /** Asks a worker to drain, or to serve again, and says how far it is. Errors: `not_found`, with the names that there are. */
  drain({ workerId, undo, incarnation }: DrainRequest): DrainReply {
    const member = memberNamed(workerId, this.members);
    const wanted = !undo;
    const isMeant = incarnation === "" || incarnation === member.profile.incarnation;
    if (isMeant && (member.status?.draining ?? false) !== wanted) {
      const value = order({ case: "setDrain", value: create(SetDrainSchema, { wanted }) });
      this.#sessions.get(member.session)?.sink.send("set_drain", value);
    }
    return drainReply(member, this.drainState(member));
  }

  /** Workers had the time to come back: a map that is incomplete now is the truth. */
  publish(): void {
    if (this.#published) return;
    this.#published = true;
    for (const member of this.members) this.#sendMap(member);
  }

  /** Silences, and what the planner has to do by now. */
  tick(now: number): void {
    const changes = this.#membership.tick(now);
    if (changes.length > 0 || now >= (this.#planner?.dueMs ?? Number.POSITIVE_INFINITY)) this.#settle(changes, now);
  }

  /** Ends all streams: the workers look for the next leader. */
  close(error: DroverError): void {
    this.#closed = true;
    for (const { sink } of this.#sessions.values()) sink.end(error);
  }

  #take(session: number, state: Session, report: WorkerReport["report"], now: number): readonly MembershipChange[] {
    switch (report.case) {
      case "status":
        state.status = report.value;
        return this.#membership.status(session, statusFromWire(report.value), now);
      case "loaded":
        return this.#membership.loaded(session, loadedFromWire(report.value), now);
      case "leaving":
        return this.#membership.leave(session, now);
      case "cacheChanges":
      case "cacheSnapshot":
        this.#takeCache(session, state, report, now);
        return [];
      default:
        throw new DroverError("invalid_argument", `unexpected ${report.case ?? "empty"} report`);
    }
  }

  #takeCache(session: number, { sink }: Session, report: CacheReport, now: number): void {
    const member = this.#membership.bySession(session);
    if (member === undefined) return;
    const { prefixes } = this.#options;
    const { workerId } = member.profile;
    if (report.case === "cacheSnapshot") prefixes.restore(workerId, report.value);
    else if (prefixes.change(workerId, report.value, now))
      sink.send("send_cache", order({ case: "sendCache", value: create(SendCacheSchema) }));
  }

  #serve(pin: Pin | undefined): void {
    assert(pin !== undefined, "who agrees has brought a pin");
    this.#options.prefixes.serve(pin.chunkTokens);
    const epoch = this.#planner?.epoch ?? firstMapEpoch(this.#options.leaderEpoch);
    const { expectExperts } = this.#options;
    this.#planner = new ExpertPlanner({ layers: pin.layers, expertCount: pin.expertCount, expectExperts, epoch });
  }

  #settle(changes: readonly MembershipChange[], now: number): void {
    if (this.#closed) return;
    for (const change of changes) if (change.kind !== "status" && change.kind !== "joined") this.#log(change);
    const mapChanged = this.#plan(changes, now);
    if (!mapChanged) for (const { kind, member } of changes) if (kind === "joined") this.#sendMap(member);
    this.#sendContextWorkers(changes);
    for (const [{ session }, value] of this.#drains.changed(this.members, (member) => this.drainState(member)))
      this.#sessions.get(session)?.sink.send("drain_state", order({ case: "drainState", value }));
    for (const change of changes) {
      if (change.kind !== "gone") continue;
      // Also of the same life on another stream: its digest tells whether anything is missing.
      this.#options.prefixes.forget(change.member.profile.workerId);
      const error = GONE[change.reason];
      if (error !== undefined) this.#sessions.get(change.member.session)?.sink.end(error);
      this.#sessions.delete(change.member.session);
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
    if (this.expertShortage !== short && this.expertShortage !== "")
      this.#options.logger.warn("experts.short_of_memory", { reason: this.expertShortage });
    for (const [worker, share] of orders) {
      const member = this.#membership.get(worker);
      assert(member !== undefined, "orders go to members");
      this.#sessions
        .get(member.session)
        ?.sink.send("set_experts", order({ case: "setExperts", value: orderToWire(share, planner.epoch) }));
    }
    if (mapChanged) {
      const { modelId, logger, leaderEpoch } = this.#options;
      assert(planner.epoch < firstMapEpoch(leaderEpoch + 1n), "a leader's map epochs stay below those of the next");
      this.#map = mapToWire(modelId, planner.epoch, planner.active, planner.complete, this.members);
      logger.info("map.changed", { epoch: Number(planner.epoch), complete: planner.complete });
      // Until then, workers that serve already follow the map of the last leader.
      this.#published ||= planner.complete;
      for (const member of this.members) this.#sendMap(member);
    }
    return mapChanged;
  }

  #sendMap(member: Member): void {
    if (!this.#published || !member.profile.roles.includes("attention")) return;
    this.#sessions.get(member.session)?.sink.send("expert_map", order({ case: "expertMap", value: this.#map }));
  }

  #sendContextWorkers(changes: readonly MembershipChange[]): void {
    const { told, holders } = contextNews(changes, this.members);
    for (const { session } of told) {
      const value = order({ case: "contextWorkers", value: create(ContextWorkersSchema, { holders }) });
      this.#sessions.get(session)?.sink.send("context_workers", value);
    }
  }

  #log(change: MembershipChange): void {
    const fields = { worker: change.member.profile.workerId, incarnation: change.member.profile.incarnation };
    if (change.kind === "gone") this.#options.logger.warn("worker.gone", { ...fields, reason: change.reason });
    else this.#options.logger.info(`worker.${change.kind}`, fields);
  }
}

type CacheReport = Extract<WorkerReport["report"], { case: "cacheChanges" | "cacheSnapshot" }>;
type OrderInit = NonNullable<MessageInitShape<typeof WorkerOrderSchema>["order"]>;
const order = (value: OrderInit): WorkerOrder => create(WorkerOrderSchema, { order: value });

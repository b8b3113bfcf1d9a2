import { DroverError, type WorkerId } from "@drover/core";
import { GONE_AFTER_MS, MEMBER_COUNT_MAX, SUSPECT_AFTER_MS } from "../limits.ts";
import { Accusations } from "./accusations.ts";
import type { ExpertSet, Member, WorkerProfile } from "./member.ts";
import type { WorkerStatus } from "./worker-status.ts";

export type GoneReason = "disconnected" | "silent" | "replaced";

/** What a report or the passing of time did to the set of workers; `member` is the newest value (for `gone`: the last one). */
export type MembershipChange =
  | Readonly<{ kind: "joined" | "status" | "loaded" | "leaving" | "suspected" | "recovered"; member: Member }>
  /** Its status says that it drains, or that it does not any more. */
  | Readonly<{ kind: "draining" | "undrained"; member: Member }>
  | Readonly<{ kind: "gone"; member: Member; reason: GoneReason }>;

export type MembershipOptions = Readonly<{ suspectAfterMs?: number; goneAfterMs?: number; memberCountMax?: number }>;

/**
 * The set of workers, made of what their Join streams report. Every report names its session (one Join stream), so that
 * what an old stream says late never touches the worker that came back on a new one. `now` never goes back.
 */
export class Membership {
  readonly #suspectAfterMs: number;
  readonly #goneAfterMs: number;
  readonly #memberCountMax: number;
  readonly #byId = new Map<WorkerId, Member>();
  readonly #idBySession = new Map<number, WorkerId>();
  readonly #accusations = new Accusations();
  #ids: readonly WorkerId[] = [];
  #members: readonly Member[] | undefined = [];

  constructor(options: MembershipOptions = {}) {
    this.#suspectAfterMs = options.suspectAfterMs ?? SUSPECT_AFTER_MS;
    this.#goneAfterMs = options.goneAfterMs ?? GONE_AFTER_MS;
    this.#memberCountMax = options.memberCountMax ?? MEMBER_COUNT_MAX;
  }

  /** In the order of their ids, so that decisions over them do not depend on who came first. */
  get members(): readonly Member[] {
    this.#members ??= this.#ids.flatMap((id) => this.#byId.get(id) ?? []);
    return this.#members;
  }

  get(id: WorkerId): Member | undefined {
    return this.#byId.get(id);
  }

  /** The worker that a stream speaks for; undefined once it is gone or replaced. */
  bySession(session: number): Member | undefined {
    const id = this.#idBySession.get(session);
    return id === undefined ? undefined : this.#byId.get(id);
  }

  /**
   * A worker joins on a session of its own. One with the same id is replaced at once; the same life on a new stream keeps
   * what it had reported, because its memory did not change. Errors: `overloaded` when the fleet is full.
   */
  join(profile: WorkerProfile, session: number, now: number): readonly MembershipChange[] {
    const previous = this.#byId.get(profile.workerId);
    if (previous === undefined && this.#byId.size >= this.#memberCountMax) {
      throw new DroverError("overloaded", `the cluster has ${this.#memberCountMax} workers, its maximum`);
    }
    const changes: MembershipChange[] = [];
    if (previous !== undefined) changes.push(this.#remove(previous, "replaced"));
    const sameLife = previous?.profile.incarnation === profile.incarnation ? previous : undefined;
    const member = this.#put({
      session,
      profile,
      joinedAtMs: now,
      heardAtMs: now,
      suspected: false,
      frozen: false,
      leaving: false,
      status: sameLife?.status,
      loaded: sameLife?.loaded,
    });
    this.#idBySession.set(session, profile.workerId);
    changes.push({ kind: "joined", member });
    return changes;
  }

  /** A heartbeat; whether the worker drains is told apart when it changes, and who is suspected for what it says. Nothing for a session that was replaced. */
  status(session: number, status: WorkerStatus, now: number): readonly MembershipChange[] {
    const before = this.bySession(session)?.status?.draining ?? false;
    const changes = [...this.#report(session, "status", { status }, now)];
    const member = this.bySession(session);
    if (member === undefined) return changes;
    if (status.draining !== before) changes.push({ kind: status.draining ? "draining" : "undrained", member });
    if (status.slowPeers.some(({ isSilent }) => isSilent)) changes.push(...this.#suspectAccused(now));
    return changes;
  }

  /** The whole set of experts that the worker has in memory now. */
  loaded(session: number, loaded: ExpertSet, now: number): readonly MembershipChange[] {
    return this.#report(session, "loaded", { loaded }, now);
  }

  /** The worker will go: it gets nothing new, and still serves what it has. */
  leave(session: number, now: number): readonly MembershipChange[] {
    return this.#report(session, "leaving", { leaving: true }, now);
  }

  /** The Join stream ended: the worker is gone at once. */
  disconnect(session: number): readonly MembershipChange[] {
    const member = this.bySession(session);
    return member === undefined ? [] : [this.#remove(member, "disconnected")];
  }

  /** When the next member is suspected or gone, if nothing is heard of it. */
  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const { heardAtMs, suspected } of this.members)
      dueMs = Math.min(dueMs, heardAtMs + (suspected ? this.#goneAfterMs : this.#suspectAfterMs));
    return dueMs;
  }

  /** Silence: suspected first, then gone. To be called at {@link dueMs}. */
  tick(now: number): readonly MembershipChange[] {
    const changes = [...this.#suspectAccused(now)];
    for (const member of this.members) {
      const silentMs = now - member.heardAtMs;
      if (silentMs >= this.#goneAfterMs) changes.push(this.#remove(member, "silent"));
      else if (silentMs >= this.#suspectAfterMs && !member.suspected) {
        changes.push(this.#suspect(member));
      }
    }
    return changes;
  }

  /** The worker's process does not answer. */
  freeze(session: number, now: number): readonly MembershipChange[] {
    const member = this.bySession(session);
    if (member === undefined || member.frozen) return [];
    if (!member.suspected) this.#accusations.noteSuspected(member.profile.workerId, now);
    return [this.#suspect({ ...member, frozen: true })];
  }

  /** Those whom others find silent. */
  #suspectAccused(now: number): readonly MembershipChange[] {
    this.#accusations.observe(this.members, now);
    const accused = this.members.filter((member) => !member.suspected && this.#accusations.suspects(member, now));
    return accused.map((member) => this.#suspect(member));
  }

  #suspect(member: Member): MembershipChange {
    return { kind: "suspected", member: this.#put({ ...member, suspected: true }) };
  }

  #report(
    session: number,
    kind: "status" | "loaded" | "leaving",
    fields: Partial<Member>,
    now: number,
  ): readonly MembershipChange[] {
    const previous = this.bySession(session);
    if (previous === undefined) return [];
    const suspected = previous.suspected && !this.#mayRecover(previous, now);
    const member = this.#put({ ...previous, ...fields, suspected, frozen: false, heardAtMs: now });
    const change: MembershipChange = { kind, member };
    return previous.suspected && !suspected ? [{ kind: "recovered", member }, change] : [change];
  }

  /** Who decodes is waited for only where others decode meanwhile. */
  #mayRecover(member: Member, now: number): boolean {
    const { roles } = member.profile;
    const isElsewhere = ({ profile, suspected }: Member) => !suspected && profile.roles.includes("attention");
    if (roles.includes("attention") && !this.members.some(isElsewhere)) return true;
    return this.#accusations.mayRecover(member, now);
  }

  #put(member: Member): Member {
    const { workerId } = member.profile;
    if (!this.#byId.has(workerId)) this.#ids = [...this.#ids, workerId].sort();
    this.#byId.set(workerId, member);
    this.#members = undefined;
    return member;
  }

  #remove(member: Member, reason: GoneReason): MembershipChange {
    this.#byId.delete(member.profile.workerId);
    this.#ids = this.#ids.filter((id) => id !== member.profile.workerId);
    this.#members = undefined;
    this.#idBySession.delete(member.session);
    return { kind: "gone", member, reason };
  }
}

import { type Clock, DroverError, sleepUnlessAborted, type WorkerId } from "@drover/core";
import type { Member } from "@drover/fleet";
import {
  PULSE_ANSWER_FACTOR,
  PULSE_ANSWER_MS_MAX,
  PULSE_ANSWER_MS_MIN,
  PULSE_ANSWERS_KEPT,
  PULSE_REFRESH_MS,
  PULSE_SILENT_MS,
  PULSE_WAIT_PARTS,
} from "../limits.ts";

/** Asks the process behind an admin port whether it lives. False once the signal aborts; never rejects. */
export type AskPulse = (adminAddress: string, signal: AbortSignal) => Promise<boolean>;

export type PulsesOptions = Readonly<{
  /** Nobody is asked, and nobody is found frozen, without it. */
  ask: AskPulse | undefined;
  clock: Clock;
  /** The worker that speaks by this session as it was then. */
  member: (session: number) => Member | undefined;
  onFrozen: (session: number) => void;
  /** A call is due at another time than before. */
  onDue: () => void;
}>;

/** What is known of one life of a worker. */
type Pulse = {
  readonly session: number;
  /** How long its last answers took, milliseconds. Empty: it has never answered, and its silence says nothing. */
  readonly answeredMs: number[];
  isAsked: boolean;
  /** When it was last asked, to the end. */
  askedAtMs: number;
};

/** A placement that is under way. */
type Placing = Readonly<{ beganMs: number; frozen: AbortController }>;

const ANSWERED = new DroverError("cancelled", "the process has answered, or had its time");
const FROZEN = new DroverError("unavailable", "the worker's process does not answer");

/**
 * Tells frozen attention workers from busy ones. A worker with requests speaks several times a second; where it does not, or does not answer a placement, the thread behind its
 * admin port is asked, which answers however busy the main loop is. One that does not answer in several times its usual time is frozen, or its host is. Who has
 * never answered, because its port cannot be reached from here, is not judged.
 */
export class Pulses {
  readonly #options: PulsesOptions;
  readonly #pulses = new Map<WorkerId, Pulse>();
  readonly #placing = new Map<WorkerId, Set<Placing>>();
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(options: PulsesOptions) {
    this.#options = options;
  }

  /** When `look` is to be called again at the latest. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** When a member is to be asked, if it says nothing; never while it is asked, or is not known yet. */
  dueMsOf(member: Member | undefined): number {
    const pulse = member === undefined ? undefined : this.#pulses.get(member.profile.workerId);
    if (member === undefined || pulse?.session !== member.session || pulse.isAsked || member.frozen)
      return Number.POSITIVE_INFINITY;
    const sinceMs = this.#waitedForSinceMs(member);
    const refreshMs = pulse.askedAtMs + PULSE_REFRESH_MS;
    return sinceMs === undefined
      ? refreshMs
      : Math.min(refreshMs, Math.max(sinceMs, pulse.askedAtMs) + PULSE_SILENT_MS);
  }

  /** A placement waits for the worker's reply until this is disposed; the signal aborts where the worker is found frozen. */
  placing(worker: WorkerId): Disposable & Readonly<{ frozen: AbortSignal }> {
    const placing: Placing = { beganMs: this.#options.clock.monotonic(), frozen: new AbortController() };
    const all = this.#placing.get(worker) ?? new Set();
    this.#placing.set(worker, all.add(placing));
    this.#options.onDue();
    const end = () => {
      all.delete(placing);
      if (all.size === 0 && this.#placing.get(worker) === all) this.#placing.delete(worker);
    };
    return { frozen: placing.frozen.signal, [Symbol.dispose]: end };
  }

  /** Asks those that have been silent for too long. To be called when a worker has come, and at `dueMs`. */
  look(members: readonly Member[], now: number): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    if (this.#options.ask === undefined) return;
    for (const member of members) if (member.profile.roles.includes("attention")) this.#lookAt(member, now);
    const present = new Set(members.map(({ session }) => session));
    for (const [worker, { session }] of this.#pulses) if (!present.has(session)) this.#pulses.delete(worker);
  }

  #lookAt(member: Member, now: number): void {
    const { session, profile } = member;
    const known = this.#pulses.get(profile.workerId);
    if (known?.session !== session) {
      const pulse: Pulse = { session, answeredMs: [], isAsked: false, askedAtMs: now };
      this.#pulses.set(profile.workerId, pulse);
      void this.#ask(member, pulse);
      return;
    }
    const dueMs = this.dueMsOf(member);
    if (now >= dueMs) void this.#ask(member, known);
    else this.#dueMs = Math.min(this.#dueMs, dueMs);
  }

  /** Since when the worker owes a word; undefined where it owes none. */
  #waitedForSinceMs({ profile: { workerId }, heardAtMs, status }: Member): number | undefined {
    if (status !== undefined && status.runningCount + status.waitingCount > 0) return heardAtMs;
    const placing = [...(this.#placing.get(workerId) ?? [])].map(({ beganMs }) => beganMs);
    return placing.length === 0 ? undefined : Math.max(heardAtMs, Math.min(...placing));
  }

  async #ask(member: Member, pulse: Pulse): Promise<void> {
    const { ask, clock, onFrozen, onDue, member: memberOf } = this.#options;
    if (ask === undefined) return;
    const { profile, session, heardAtMs } = member;
    const beganMs = clock.monotonic();
    pulse.isAsked = true;
    const over = new AbortController();
    const answered = ask(profile.adminAddress, over.signal);
    const isAlive = await Promise.race([answered, this.#late(pulse, over.signal)]);
    over.abort(ANSWERED);
    pulse.isAsked = false;
    pulse.askedAtMs = clock.monotonic();
    if (isAlive) {
      pulse.answeredMs.push(pulse.askedAtMs - beganMs);
      if (pulse.answeredMs.length > PULSE_ANSWERS_KEPT) pulse.answeredMs.shift();
    }
    const now = memberOf(session);
    const isSilent = now?.heardAtMs === heardAtMs && this.#waitedForSinceMs(now) !== undefined;
    if (!isAlive && pulse.answeredMs.length > 0 && isSilent) {
      onFrozen(session);
      for (const { frozen } of this.#placing.get(profile.workerId) ?? []) frozen.abort(FROZEN);
    }
    onDue();
  }

  /** Resolves with false when an answer is late. In parts: a scheduler that itself stood still reads what came meanwhile before it judges. */
  async #late({ answeredMs }: Pulse, over: AbortSignal): Promise<false> {
    const usualMs = Math.max(...answeredMs, PULSE_ANSWER_MS_MIN / PULSE_ANSWER_FACTOR);
    const ms =
      answeredMs.length === 0 ? PULSE_ANSWER_MS_MAX : Math.min(PULSE_ANSWER_MS_MAX, PULSE_ANSWER_FACTOR * usualMs);
    for (let part = 0; part < PULSE_WAIT_PARTS && !over.aborted; part++)
      await sleepUnlessAborted(this.#options.clock, ms / PULSE_WAIT_PARTS, over);
    return false;
  }
}

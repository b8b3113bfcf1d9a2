import type { Clock, TraceCall } from "@drover/core";
import type { ExpertPeer, PeerCall } from "./expert-peer.ts";
import { HedgeBudget } from "./hedge-budget.ts";
import { SLOW_FACTOR_MAX } from "./limits.ts";
import { isOverBeforeSilence, isOverWithin } from "./over-within.ts";
import { PeerPaces } from "./peer-pace.ts";

/** The calls to peers: what is under way, how long they take, and which may be repeated elsewhere. */
export class ExpertCalls {
  readonly #clock: Clock;
  readonly #paces = new PeerPaces();
  readonly #budget = new HedgeBudget();
  /** Rows that are asked for and not answered yet. */
  readonly #ahead = new WeakMap<ExpertPeer, number>();
  /** Calls that are late and not over. */
  readonly #late = new WeakMap<ExpertPeer, number>();
  /** Calls that were given up and are not over. */
  readonly #givenUp = new WeakMap<ExpertPeer, number>();
  /** Peers that have answered nothing since a call was given up. */
  readonly #silent = new WeakSet<ExpertPeer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rows that a peer has been asked for and has not answered. */
  ahead(peer: ExpertPeer): number {
    return this.#ahead.get(peer) ?? 0;
  }

  /** How many times as long as others a peer takes; 1 unless it is clearly slow. */
  slowness(peer: ExpertPeer): number {
    if ((this.#late.get(peer) ?? 0) > 0) return SLOW_FACTOR_MAX;
    return this.#paces.slowness(peer.workerId, this.#clock.monotonic());
  }

  /** Whether the peer has answered nothing since it was given up. */
  isSilent(peer: ExpertPeer): boolean {
    return this.#silent.has(peer);
  }

  /** Whether the peer is not to be asked now: what it was asked last was given up, and may still be answered. */
  isWithheld(peer: ExpertPeer): boolean {
    return (this.#givenUp.get(peer) ?? 0) > 0;
  }

  /** Peers that a new map does not name are forgotten. */
  keep(workerIds: ReadonlySet<string>): void {
    this.#paces.keep(workerIds);
  }

  /** Rows are routed: a part as many may be asked for twice. */
  routed(rowCount: number): void {
    this.#budget.earn(rowCount);
  }

  /** One call. Its rows count as the peer's until it is over, and the time is noted that it took, also of an answer that nobody wanted any more. */
  ask(peer: ExpertPeer, call: PeerCall, traceCall: TraceCall | undefined): Promise<boolean> {
    const began = this.#clock.monotonic();
    const asked = askTraced(peer, call, traceCall).then((isAnswered) => {
      const now = this.#clock.monotonic();
      if (isAnswered) this.#silent.delete(peer);
      if (peer.isHere) return isAnswered;
      const took = [peer.workerId, call.rows.length, now - began, now] as const;
      if (isAnswered) this.#paces.note(...took);
      else if (call.isOver?.() === true) this.#paces.noteUnanswered(...took);
      return isAnswered;
    });
    this.#count(this.#ahead, peer, asked, call.rows.length);
    return asked;
  }

  /** Resolves with true as soon as the call is over, and with false when it is late: while it is, its peer counts as slow as can be. */
  async isInTime(asked: Promise<boolean>, peer: ExpertPeer, rowCount: number): Promise<boolean> {
    const lateMs = peer.isHere ? undefined : this.#paces.lateMs(peer.workerId, rowCount);
    if (lateMs === undefined) return true;
    const isInTime = await isOverWithin(this.#clock, asked, lateMs);
    if (!isInTime) this.#count(this.#late, peer, asked, 1);
    return isInTime;
  }

  /**
   * Of a call that is late: resolves with whether it was answered as soon as it is over, and with false once its peer has been silent for too long. Then the call
   * is given up: nobody waits for it any more, and nobody asks its peer until it is over.
   */
  async isAnswered(asked: Promise<boolean>, peer: ExpertPeer, rowCount: number): Promise<boolean> {
    const silentMs = this.#paces.silentMs(peer.workerId, rowCount);
    if (silentMs === undefined || (await isOverBeforeSilence(this.#clock, asked, silentMs))) return asked;
    this.#silent.add(peer);
    this.#count(this.#givenUp, peer, asked, 1);
    return false;
  }

  /** Whether so many rows may be asked for twice; then they count as asked for. */
  mayRepeat(rowCount: number): boolean {
    return this.#budget.spend(rowCount);
  }

  /** Counts something of a peer until the call is over. */
  #count(counts: WeakMap<ExpertPeer, number>, peer: ExpertPeer, asked: Promise<boolean>, count: number): void {
    const add = (change: number) => counts.set(peer, (counts.get(peer) ?? 0) + change);
    add(count);
    void asked.finally(() => add(-count));
  }
}

/** One call to one peer, under a span of its own where the step is traced. */
export async function askTraced(peer: ExpertPeer, call: PeerCall, traceCall: TraceCall | undefined): Promise<boolean> {
  const span = traceCall?.("expert call", {
    "drover.worker": peer.workerId,
    "drover.layer": call.layer,
    "drover.experts": call.experts.length,
    "drover.rows": call.rows.length,
  });
  if (span === undefined) return peer.call(call);
  const isAnswered = await peer.call({ ...call, trace: span.context });
  span.end(isAnswered ? undefined : "unavailable");
  return isAnswered;
}

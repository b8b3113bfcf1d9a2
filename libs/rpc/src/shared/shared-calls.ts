import { type Clock, DroverError, sleepUnlessAborted } from "@drover/core";
import { gatherRows, type PeerCall, PendingCalls, scatterRows } from "@drover/exchange";
import { ActivationType } from "@drover/proto";
import type { SharedMemory, SharedSegment, WordQueue } from "@drover/shared-memory";
import type { RpcClient } from "../client.ts";
import type { Frame } from "../expert-frames.ts";
import { EXPERT_REQUEST_LIMITS, REQUEST_SWEEP_MS, SHARED_SLOT_COUNT } from "../limits.ts";
import { ExpertSlots, SEGMENT_BYTES, SEGMENT_LAYOUT, SLOT_VALUES_MAX, slotQueues } from "./expert-slots.ts";
import { offerSegment } from "./offer-segment.ts";

/** A slot in use: by a call that waits for it, or by one that was given up, until its answer comes. */
type UsedSlot = Readonly<{ turn: number; correlationId: bigint }>;

/**
 * The side of a segment that asks: a frame's rows are written into a slot and their answers read from it. A slot is used again once it was answered, so an answer that comes
 * too late finds no other call's rows.
 */
export class SharedCalls implements Disposable {
  readonly #segment: SharedSegment;
  readonly #clock: Clock;
  readonly #slots: ExpertSlots;
  readonly #asked: WordQueue;
  readonly #answered: WordQueue;
  readonly #calls = new PendingCalls<boolean>(EXPERT_REQUEST_LIMITS);
  readonly #used = new Map<number, UsedSlot>();
  /** The last one that was given back is taken first: its pages are there. */
  readonly #free = Array.from({ length: SHARED_SLOT_COUNT }, (_, i) => SHARED_SLOT_COUNT - 1 - i);
  readonly #ended = new AbortController();
  #turn = 0;
  #isSweeping = false;

  private constructor(segment: SharedSegment, clock: Clock, onGone: () => void) {
    this.#segment = segment;
    this.#clock = clock;
    this.#slots = new ExpertSlots(segment.bytes);
    const { asked, answered } = slotQueues(segment.bytes);
    this.#asked = asked;
    this.#answered = answered;
    segment.listen(
      () => this.#settleAll(),
      () => {
        this.#end();
        onGone();
      },
    );
    this.#settleAll();
  }

  /** Offers a segment to a worker, over a connection that is ended then. `onGone`: that has ended. Errors: the worker's, `not_found` where it is of another host; `unavailable` where there is no such memory. */
  static async offer(
    memory: SharedMemory,
    to: RpcClient,
    clock: Clock,
    onGone: () => void,
    signal: AbortSignal,
  ): Promise<SharedCalls> {
    const kind = { layout: SEGMENT_LAYOUT, byteCount: SEGMENT_BYTES };
    const unused = (segment: SharedSegment) => ({ segment, [Symbol.dispose]: () => segment.unmap() });
    const { segment } = await offerSegment(memory, kind, to, unused, clock, signal);
    return new SharedCalls(segment, clock, onGone);
  }

  get callCount(): number {
    return this.#calls.callCount;
  }

  /**
   * Sends a frame, and resolves with true once its rows of `y_aD` are written; false where they have no answer. Undefined where it does not go this way: all slots are in
   * use, or it does not fit one.
   */
  send(call: PeerCall, frame: Frame): Promise<boolean> | undefined {
    const { layer, rows, z_aD, width, trace } = call;
    const named = rows.subarray(frame.from, frame.to);
    const valueCount = named.length * width;
    const slot = this.#free.at(-1);
    if (!this.#segment.isOpen || slot === undefined || valueCount > SLOT_VALUES_MAX) return undefined;
    const turn = (this.#turn + 1) >>> 0;
    const { experts, counts: rowCounts } = frame;
    const asked = {
      layer,
      activationType: ActivationType.F32,
      ...{ experts, rowCounts, rowCount: named.length },
      // A call's first frame stands for it: its others are the same, and may be many.
      trace: frame.from === 0 ? trace : undefined,
    };
    if (!this.#slots.ask(slot, turn, asked)) return undefined;
    return new Promise((resolve) => {
      const settle = (isAnswered: boolean | undefined) => resolve(isAnswered === true && this.#take(slot, call, named));
      const deadline = this.#clock.monotonic() + EXPERT_REQUEST_LIMITS.answerMsMax;
      const correlationId = this.#calls.open(valueCount * Float32Array.BYTES_PER_ELEMENT, deadline, settle);
      if (correlationId === undefined) {
        resolve(false);
        return;
      }
      this.#turn = turn;
      this.#free.pop();
      this.#used.set(slot, { turn, correlationId });
      gatherRows(z_aD, named, width, this.#slots.rows(slot, valueCount).z);
      if (this.#asked.push(slot)) this.#segment.ring();
      if (!this.#isSweeping) void this.#sweep();
    });
  }

  /** Writes a slot's answers to the step's rows, unless nobody waits for them any more. */
  #take(slot: number, { y_aD, width, isOver }: PeerCall, named: Int32Array): boolean {
    if (isOver?.()) return true;
    scatterRows(this.#slots.rows(slot, named.length * width).y, named, width, y_aD);
    return true;
  }

  #settleAll(): void {
    do {
      for (let slot = this.#next(); slot !== undefined; slot = this.#next()) this.#settle(slot);
    } while (this.#segment.isOpen && !this.#answered.sleep());
  }

  #next(): number | undefined {
    return this.#segment.isOpen ? this.#answered.take() : undefined;
  }

  #settle(slot: number): void {
    const used = this.#used.get(slot);
    const isAnswered = used === undefined ? undefined : this.#slots.isAnswered(slot, used.turn);
    if (used === undefined || isAnswered === undefined) {
      // Who answers what nobody has asked is not to be understood: rows go over the stream.
      this[Symbol.dispose]();
      return;
    }
    this.#calls.settle(used.correlationId, isAnswered);
    this.#used.delete(slot);
    this.#free.push(slot);
  }

  /** Gives up late calls, as long as some are unanswered. Their slots stay in use. */
  async #sweep(): Promise<void> {
    const { signal } = this.#ended;
    this.#isSweeping = true;
    while (!signal.aborted) {
      await sleepUnlessAborted(this.#clock, REQUEST_SWEEP_MS, signal);
      this.#calls.expire(this.#clock.monotonic());
      if (this.#calls.callCount === 0) break;
    }
    this.#isSweeping = false;
  }

  #end(): void {
    this.#ended.abort(new DroverError("cancelled", "the segment is not used any more"));
    this.#calls.failAll();
    this.#segment.unmap();
  }

  /** Gives up what is unanswered, and the memory. */
  [Symbol.dispose](): void {
    this.#segment[Symbol.dispose]();
  }
}

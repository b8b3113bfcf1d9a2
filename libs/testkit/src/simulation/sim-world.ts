import { seededRandom } from "@drover/core";
import { settled } from "../sim-clock.ts";
import { EventLog } from "./event-log.ts";
import { SimProcess } from "./sim-process.ts";
import type { Living, SimEvent, SimTime } from "./sim-time.ts";

export type SimWorldOptions = Readonly<{
  seed: number;
  /** Lines of the log that are kept to be read. */
  linesKept?: number;
  /** Unix milliseconds at the start. */
  startMs?: number;
}>;

/**
 * One simulated time for many processes, in which nothing happens but by its events, one after the other, each with all that follows from it
 * without time. So a seed is a whole history, and the same one each time.
 */
export class SimWorld implements SimTime {
  readonly seed: number;
  readonly startMs: number;
  readonly log: EventLog;
  readonly #heap: SimEvent[] = [];
  #order = 0;
  #nowMs = 0;

  constructor({ seed, linesKept = 200, startMs = 1_800_000_000_000 }: SimWorldOptions) {
    this.seed = seed;
    this.startMs = startMs;
    this.log = new EventLog(linesKept);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  chance(purpose: string): () => number {
    let word = this.seed >>> 0;
    for (let i = 0; i < purpose.length; i++) word = Math.imul(word ^ purpose.charCodeAt(i), 0x01000193);
    return seededRandom(word);
  }

  /** A life of a process. */
  process(name: string, skewMs = 0): SimProcess {
    return new SimProcess(this, name, skewMs);
  }

  after(inMs: number, process: Living | undefined, what: string, happen: () => void): SimEvent {
    const atMs = this.#nowMs + Math.max(0, inMs);
    const event = { atMs, order: this.#order++, process, what, happen, cancelled: false };
    this.#push(event);
    return event;
  }

  /** A line of the log, now. */
  note(line: string): void {
    this.log.add(this.#nowMs, line);
  }

  /** Lets time pass until `untilMs`, or until `isOver` says so, which is asked after each event. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    await settled();
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      if (next.cancelled || next.process?.isGone === true) continue;
      this.#nowMs = next.atMs;
      if (next.process?.isPaused === true) {
        next.process.hold(next);
        continue;
      }
      if (next.what !== "") this.note(next.what);
      next.happen();
      await settled();
      if (isOver()) return;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isSooner(above, event)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && isSooner(right, left);
      const child = isRight ? right : left;
      if (isSooner(last, child)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isSooner(a: SimEvent, b: SimEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

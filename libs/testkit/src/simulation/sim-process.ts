import { type Clock, neverAborted } from "@drover/core";
import type { Living, SimEvent, SimTime } from "./sim-time.ts";

/** As Node's timers read it: a millisecond at least, and for what is too long no more than that. */
const timerMs = (ms: number): number => (ms >= 1 && ms < 2 ** 31 ? ms : 1);

/**
 * One life of a process in a simulated world: its clock, which may be wrong and may jump, its chance, and whether it runs. A paused one hears
 * nothing and its timers are late; one that is gone is never heard of again, however much of it still waits.
 */
export class SimProcess implements Clock, Living {
  readonly name: string;
  readonly #world: SimTime;
  readonly #chance: () => number;
  readonly #bornMs: number;
  #skewMs: number;
  #held: SimEvent[] = [];
  #idCount = 0;
  #isPaused = false;
  #isGone = false;

  /** Use `SimWorld.process`. */
  constructor(world: SimTime, name: string, skewMs: number) {
    this.name = name;
    this.#world = world;
    this.#chance = world.chance(`process ${name}`);
    this.#bornMs = world.nowMs;
    this.#skewMs = skewMs;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  now(): number {
    return Math.floor(this.#world.startMs + this.#world.nowMs + this.#skewMs);
  }

  monotonic(): number {
    return this.#world.nowMs - this.#bornMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (signal === neverAborted) {
        // Nobody would take the listener of a process that is killed from a signal that all processes share.
        this.#world.after(timerMs(ms), this, "", resolve);
        return;
      }
      const leave = () => {
        event.cancelled = true;
        reject(signal.reason);
      };
      const event = this.#world.after(timerMs(ms), this, "", () => {
        signal.removeEventListener("abort", leave);
        resolve();
      });
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** Draws from [0, 1). */
  chance(): number {
    return this.#chance();
  }

  /** An id that no other life of any process makes. */
  newId(): string {
    this.#idCount += 1;
    return `${this.name}-${this.#bornMs.toFixed(3)}-${this.#idCount}`;
  }

  /** Has something happen to this process. */
  after(inMs: number, what: string, happen: () => void): SimEvent {
    return this.#world.after(inMs, this, what, happen);
  }

  /** It stands still from now on, as one that was sent SIGSTOP or whose machine sleeps. */
  pause(): void {
    this.#isPaused = true;
  }

  /** It goes on, and finds all that came meanwhile. */
  resume(): void {
    this.#isPaused = false;
    for (const { what, happen, cancelled } of this.#held.splice(0)) if (!cancelled) this.after(0, what, happen);
  }

  /** Its clock of the day jumps; its monotonic one does not. */
  jump(ms: number): void {
    this.#skewMs += ms;
  }

  /** It is gone, without a last word. */
  kill(): void {
    this.#isGone = true;
    this.#held = [];
  }

  /** Keeps what came while it was paused. For the world. */
  hold(event: SimEvent): void {
    this.#held.push(event);
  }
}

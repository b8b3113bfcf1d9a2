import { monitorEventLoopDelay } from "node:perf_hooks";
import { BUSY_LOOP_SHARE, BUSY_THREAD_SHARE, EVENT_LOOP_SAMPLE_MS, EVENT_LOOP_WINDOW_MS } from "./limits.ts";

/** Seconds that timers ran late. */
export type Lag = Readonly<{ p50: number; p99: number; max: number }>;

const NANOSECONDS_PER_SECOND = 1e9;
const NO_LAG: Lag = { p50: 0, p99: 0, max: 0 };

/**
 * How late this thread's event loop runs: of the last {@link EVENT_LOOP_WINDOW_MS} or a little longer, however many scrapers there are and
 * however often they come. Samples are taken only while the loop has something to do: each of them wakes the process, and a loop that waits
 * is late for nobody.
 */
export class LoopLag {
  readonly #delays = monitorEventLoopDelay({ resolution: EVENT_LOOP_SAMPLE_MS });
  #finished = NO_LAG;
  #beganMs = performance.now();
  #use = performance.eventLoopUtilization();
  #cpu = process.threadCpuUsage();
  #lookedMs = performance.now();

  constructor() {
    this.#delays.enable();
  }

  /** Looks at what the loop has done since the last call, and samples from now on or not. Whether it had something to do. */
  turned(): boolean {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#use);
    this.#use = now;
    const isBusy = this.#cpuShare() >= BUSY_THREAD_SHARE || utilization >= BUSY_LOOP_SHARE;
    this.#roll();
    if (!isBusy) this.#delays.disable();
    // The monitor would take the time in which it did not sample for a delay.
    else if (this.#delays.enable()) this.#renew();
    return isBusy;
  }

  /** Of the time since the last call, the part in which the thread had a core. On a busy machine a loop that does little is active for long, waiting for one. */
  #cpuShare(): number {
    const { user, system } = process.threadCpuUsage(this.#cpu);
    const nowMs = performance.now();
    const share = (user + system) / 1000 / (nowMs - this.#lookedMs);
    this.#cpu = process.threadCpuUsage();
    this.#lookedMs = nowMs;
    return share;
  }

  /** Of two windows, the finished one and the running one: the larger of each figure. */
  seconds(): Lag {
    const running = lagOf(this.#delays);
    const lag = larger(this.#finished, running);
    this.#roll();
    return lag;
  }

  #roll(): void {
    if (performance.now() - this.#beganMs >= EVENT_LOOP_WINDOW_MS) this.#renew();
  }

  #renew(): void {
    const running = lagOf(this.#delays);
    const isWhole = performance.now() - this.#beganMs >= EVENT_LOOP_WINDOW_MS;
    this.#finished = isWhole ? running : larger(this.#finished, running);
    if (isWhole) this.#beganMs = performance.now();
    this.#delays.reset();
  }
}

function larger(a: Lag, b: Lag): Lag {
  return { p50: Math.max(a.p50, b.p50), p99: Math.max(a.p99, b.p99), max: Math.max(a.max, b.max) };
}

function lagOf(delays: ReturnType<typeof monitorEventLoopDelay>): Lag {
  if (delays.count === 0) return NO_LAG;
  // The monitor's samples contain its own interval: what is above it is lag.
  const seconds = (nanoseconds: number) =>
    Math.max(0, nanoseconds / NANOSECONDS_PER_SECOND - EVENT_LOOP_SAMPLE_MS / 1000);
  return { p50: seconds(delays.percentile(50)), p99: seconds(delays.percentile(99)), max: seconds(delays.max) };
}

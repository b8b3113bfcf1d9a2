/** Time as an effect. `SimClock` is the simulated one. */
export interface Clock {
  /** Milliseconds since the Unix epoch: comparable between machines as far as their clocks agree. */
  now(): number;
  /** Milliseconds that never go back; for durations. The processes of one machine have one scale. */
  monotonic(): number;
  /** Resolves after `ms`, soon where that time is over already, or rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls back after `ms`, unless what it returns is called before. Where a clock has none, a sleep does the same, for more. */
  alarm?(ms: number, then: () => void): () => void;
}

/** What a process's own scale, which begins with it, is behind the machine's. */
const BEGAN_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => BEGAN_MS + performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(
        () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        },
        Math.max(0, ms),
      );
      signal.addEventListener("abort", onAbort, { once: true });
    }),
  alarm: (ms, then) => {
    const timer = setTimeout(then, Math.max(0, ms));
    return () => clearTimeout(timer);
  },
};

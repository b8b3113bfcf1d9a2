import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, type Registry } from "prom-client";
import { EVENT_LOOP_SAMPLE_MS, EVENT_LOOP_WINDOW_MS } from "./limits.ts";

type Lag = Readonly<{ p50: number; p99: number; max: number }>;

const NANOSECONDS_PER_SECOND = 1e9;
const NO_LAG: Lag = { p50: 0, p99: 0, max: 0 };

/**
 * Adds what every process says of itself: how late its event loop runs and how much of the time it is busy, CPU, memory and its start. Lag is
 * that of the last {@link EVENT_LOOP_WINDOW_MS} or a little longer, however many scrapers there are and however often they come. The result
 * is to be called before every scrape.
 */
export function watchProcess(registry: Registry): () => void {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const lag = new Gauge({
    name: "drover_event_loop_lag_seconds",
    help: "How late timers ran in the last half minute",
    labelNames: ["quantile"],
    registers,
  });
  const active = counter("drover_event_loop_active_seconds_total", "Time that the event loop was busy");
  const cpu = counter("process_cpu_seconds_total", "CPU time of all threads, user and system");
  const start = gauge("process_start_time_seconds", "When the process began, Unix time");
  const resident = gauge("drover_resident_bytes", "Resident memory of the process");
  const heap = gauge("drover_heap_used_bytes", "JavaScript heap in use");
  const lagNow = lagMeter();
  let counted = { activeSeconds: 0, cpuSeconds: 0 };
  start.set(Math.round(Date.now() / 1000 - process.uptime()));
  return () => {
    const { p50, p99, max } = lagNow();
    lag.set({ quantile: "0.5" }, p50);
    lag.set({ quantile: "0.99" }, p99);
    lag.set({ quantile: "1" }, max);
    const { user, system } = process.cpuUsage();
    const now = { activeSeconds: performance.eventLoopUtilization().active / 1000, cpuSeconds: (user + system) / 1e6 };
    active.inc(Math.max(0, now.activeSeconds - counted.activeSeconds));
    cpu.inc(Math.max(0, now.cpuSeconds - counted.cpuSeconds));
    counted = now;
    const memory = process.memoryUsage();
    resident.set(memory.rss);
    heap.set(memory.heapUsed);
  };
}

/** Reads the lag of two windows, the finished one and the running one: the larger of each figure. */
function lagMeter(): () => Lag {
  const delays = monitorEventLoopDelay({ resolution: EVENT_LOOP_SAMPLE_MS });
  delays.enable();
  let finished = NO_LAG;
  let begin = performance.now();
  return () => {
    const running = lagOf(delays);
    const lag = {
      p50: Math.max(finished.p50, running.p50),
      p99: Math.max(finished.p99, running.p99),
      max: Math.max(finished.max, running.max),
    };
    if (performance.now() - begin >= EVENT_LOOP_WINDOW_MS) {
      finished = running;
      begin = performance.now();
      delays.reset();
    }
    return lag;
  };
}

function lagOf(delays: ReturnType<typeof monitorEventLoopDelay>): Lag {
  if (delays.count === 0) return NO_LAG;
  // The monitor's samples contain its own interval: what is above it is lag.
  const seconds = (nanoseconds: number) =>
    Math.max(0, nanoseconds / NANOSECONDS_PER_SECOND - EVENT_LOOP_SAMPLE_MS / 1000);
  return { p50: seconds(delays.percentile(50)), p99: seconds(delays.percentile(99)), max: seconds(delays.max) };
}

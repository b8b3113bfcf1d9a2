import { Counter, Gauge, type Registry } from "prom-client";
import type { LoopLag } from "./loop-lag.ts";

/**
 * Adds what every process says of itself: how late its event loop runs and how much of the time it is busy, CPU, memory and its start. The
 * result is to be called before every scrape.
 */
export function watchProcess(registry: Registry, loopLag: LoopLag): () => void {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const lag = new Gauge({
    name: "drover_event_loop_lag_seconds",
    help: "How late timers ran in the last half minute, while there was something to do",
    labelNames: ["quantile"],
    registers,
  });
  const active = counter("drover_event_loop_active_seconds_total", "Time that the event loop was busy");
  const cpu = counter("process_cpu_seconds_total", "CPU time of all threads, user and system");
  const start = gauge("process_start_time_seconds", "When the process began, Unix time");
  const resident = gauge("drover_resident_bytes", "Resident memory of the process");
  const heap = gauge("drover_heap_used_bytes", "JavaScript heap in use");
  let counted = { activeSeconds: 0, cpuSeconds: 0 };
  start.set(Math.round(Date.now() / 1000 - process.uptime()));
  return () => {
    const { p50, p99, max } = loopLag.seconds();
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

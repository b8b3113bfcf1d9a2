import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { DEFAULT_SECONDS_BUCKETS, EVENT_LOOP_SAMPLE_MS } from "./limits.ts";

/** One process's metrics. Labels come from closed sets; a name is registered once. */
export interface Metrics {
  /** The kind of process that they are of. */
  readonly process: string;
  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L>;
  gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L>;
  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets?: readonly number[],
  ): Histogram<L>;
  /** Calls back before every scrape: for gauges whose value is read from somewhere else. */
  beforeScrape(collect: () => void | Promise<void>): void;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
  /** The HTTP content type of `text()`. */
  readonly contentType: string;
}

const NANOSECONDS_PER_SECOND = 1e9;

/**
 * Makes a registry whose every series carries `process`, with the process's own lag and memory already in it:
 * `drover_event_loop_lag_seconds` (p50, p99 and the largest since the last scrape), `drover_resident_bytes` and `drover_heap_used_bytes`.
 */
export function createMetrics(options: Readonly<{ process: string }>): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ process: options.process });
  const registers = [registry];
  const collectors: Array<() => void | Promise<void>> = [];
  const metrics: Metrics = {
    process: options.process,
    counter: (name, help, labelNames) => new Counter({ name, help, labelNames, registers }),
    gauge: (name, help, labelNames) => new Gauge({ name, help, labelNames, registers }),
    histogram: (name, help, labelNames, buckets) =>
      new Histogram({ name, help, labelNames, buckets: [...(buckets ?? DEFAULT_SECONDS_BUCKETS)], registers }),
    beforeScrape: (collect) => void collectors.push(collect),
    text: async () => {
      for (const collect of collectors) await collect();
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
  watchProcess(metrics);
  return metrics;
}

function watchProcess(metrics: Metrics): void {
  const lag = metrics.gauge("drover_event_loop_lag_seconds", "How late timers ran since the last scrape", ["quantile"]);
  const resident = metrics.gauge("drover_resident_bytes", "Resident memory of the process", []);
  const heap = metrics.gauge("drover_heap_used_bytes", "JavaScript heap in use", []);
  const delays = monitorEventLoopDelay({ resolution: EVENT_LOOP_SAMPLE_MS });
  delays.enable();
  // The monitor's samples contain its own interval: what is above it is lag.
  const lagSeconds = (nanoseconds: number) =>
    delays.count === 0 ? 0 : Math.max(0, nanoseconds / NANOSECONDS_PER_SECOND - EVENT_LOOP_SAMPLE_MS / 1000);
  metrics.beforeScrape(() => {
    lag.set({ quantile: "0.5" }, lagSeconds(delays.percentile(50)));
    lag.set({ quantile: "0.99" }, lagSeconds(delays.percentile(99)));
    lag.set({ quantile: "1" }, lagSeconds(delays.max));
    delays.reset();
    const memory = process.memoryUsage();
    resident.set(memory.rss);
    heap.set(memory.heapUsed);
  });
}

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { DEFAULT_SECONDS_BUCKETS } from "./limits.ts";
import { LoopLag } from "./loop-lag.ts";
import { watchProcess } from "./process-metrics.ts";

/** One process's metrics. Labels come from closed sets; a name is registered once. */
export interface Metrics {
  /** What every series carries. */
  readonly labels: Readonly<Record<string, string>>;
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
  /** To be called some times a minute by whoever turns the event loop, whose lag is measured while it has something to do: whether it had. */
  turned(): boolean;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
  /** The HTTP content type of `text()`. */
  readonly contentType: string;
}

export type MetricsOptions = Readonly<{
  /** The kind of process that they are of. */
  process: string;
  /** The worker's id, where the process is one: it says more than an address, and outlives a restart. */
  worker?: string;
}>;

/** Makes a registry whose every series carries `process`, and `worker` where it is one's; what a process says of itself is already in it. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels(options);
  const registers = [registry];
  const loopLag = new LoopLag();
  const collectors: Array<() => void | Promise<void>> = [watchProcess(registry, loopLag)];
  return {
    labels: options,
    counter: (name, help, labelNames) => new Counter({ name, help, labelNames, registers }),
    gauge: (name, help, labelNames) => new Gauge({ name, help, labelNames, registers }),
    histogram: (name, help, labelNames, buckets) =>
      new Histogram({ name, help, labelNames, buckets: [...(buckets ?? DEFAULT_SECONDS_BUCKETS)], registers }),
    beforeScrape: (collect) => void collectors.push(collect),
    turned: () => loopLag.turned(),
    text: async () => {
      for (const collect of collectors) await collect();
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

import { Counter, Gauge, type Histogram as RegisteredHistogram, Registry } from "prom-client";
import { Histogram } from "./histogram.ts";
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
  /** Counts for a counter's or a gauge's series without asking for it each time: what was added is handed over at every scrape. */
  tally<L extends string>(counter: Counter<L> | Gauge<L>, labels: Readonly<Record<L, string>>): Tally;
  /** Calls back before every scrape: for gauges whose value is read from somewhere else. */
  beforeScrape(collect: () => void | Promise<void>): void;
  /** To be called some times a minute by whoever turns the event loop, whose lag is measured while it has something to do: whether it had. */
  turned(): boolean;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
  /** The HTTP content type of `text()`. */
  readonly contentType: string;
}

/** What is added to one series, many times a second; to a gauge's also less than nothing. */
export type Tally = Readonly<{ add: (count: number) => void }>;

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
    histogram: (name, help, labelNames, buckets) => {
      const made = new Histogram({ name, help, labelNames, bounds: buckets ?? DEFAULT_SECONDS_BUCKETS });
      // All that the registry asks of a metric is its name and `get`, whatever its types say.
      registry.registerMetric(made as unknown as RegisteredHistogram);
      return made;
    },
    tally: (counter, labels) => {
      let sum = 0;
      counter.inc(labels, 0);
      collectors.push(() => {
        counter.inc(labels, sum);
        sum = 0;
      });
      return {
        add: (count) => {
          sum += count;
        },
      };
    },
    beforeScrape: (collect) => void collectors.push(collect),
    turned: () => loopLag.turned(),
    text: async () => {
      for (const collect of collectors) await collect();
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

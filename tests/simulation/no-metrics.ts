import type { Metrics } from "@drover/telemetry";

/** A series, or what a method of one gives: it takes whatever is told to it, and says nothing. */
const SERIES: object = new Proxy({}, { get: () => () => SERIES });

/** Metrics that count nothing: a simulated process has no one who scrapes it. */
export const noMetrics: Metrics = {
  labels: {},
  counter: () => SERIES as never,
  gauge: () => SERIES as never,
  histogram: () => SERIES as never,
  tally: () => ({ add: () => undefined }),
  beforeScrape: () => undefined,
  turned: () => false,
  text: async () => "",
  contentType: "text/plain",
};

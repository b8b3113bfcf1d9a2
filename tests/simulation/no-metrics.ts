import type { Metrics } from "@drover/telemetry";

const nothing = (): void => undefined;
const SERIES = {
  inc: nothing,
  dec: nothing,
  set: nothing,
  observe: nothing,
  remove: nothing,
  reset: nothing,
  zero: nothing,
};

/** Metrics that count nothing: a simulated process has no one who scrapes it. */
export const noMetrics = {
  labels: {},
  counter: () => SERIES,
  gauge: () => SERIES,
  histogram: () => SERIES,
  beforeScrape: nothing,
  text: async () => "",
  contentType: "text/plain",
} as unknown as Metrics;

/** Samples of the event loop's delay, one each so many milliseconds. */
export const EVENT_LOOP_SAMPLE_MS = 20;

/** Seconds; from a loopback round trip to a long prompt's prefill. */
export const DEFAULT_SECONDS_BUCKETS = [
  0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

/** An administration server answers short GETs to probes and a scraper: more connections than this are turned away. */
export const ADMIN_CONNECTIONS_MAX = 64;

/** A probe's client that does not finish its request within this time is cut off. */
export const ADMIN_REQUEST_TIMEOUT_MS = 10_000;

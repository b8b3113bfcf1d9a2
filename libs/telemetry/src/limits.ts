// Metrics and the admin port.

/** Samples of the event loop's delay while it has something to do, one each so many milliseconds. */
export const EVENT_LOOP_SAMPLE_MS = 100;

/** The event loop's lag is that of one to two windows of this length. */
export const EVENT_LOOP_WINDOW_MS = 30_000;

/** Seconds; from a loopback round trip to a long prompt's prefill. */
export const DEFAULT_SECONDS_BUCKETS = [
  0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

/** An administration server answers short GETs to probes and a scraper: more connections than this are turned away. */
export const ADMIN_CONNECTIONS_MAX = 64;

/** A probe's client that does not finish its request within this time is cut off. */
export const ADMIN_REQUEST_TIMEOUT_MS = 10_000;

/** How often the main loop shows that it turns, and says whether it is ready: while it has something to do or is not ready, and else. */
export const BEAT_MS = 250;
export const QUIET_BEAT_MS = 1000;

/** A thread that has a core for a larger part of the time has something to do, and so has one whose loop is active for so much of it, be it that it waits for a disk. */
export const BUSY_THREAD_SHARE = 0.02;
export const BUSY_LOOP_SHARE = 0.25;

/** The main loop answers what the admin port was asked within this time; scrapers give up after 10 s. */
export const ADMIN_ANSWER_MS_MAX = 3000;

/** A process whose main loop was silent for longer is not ready, whatever it said before: far above what a step or a layer's load takes. */
export const READY_SILENCE_MS_MAX = 30_000;

/** Heap of the admin port's thread; the largest thing in it is the text of the metrics. */
export const ADMIN_THREAD_HEAP_MB = 64;

// The log.

/** A pipe that is full is tried so often, with so long between, before a line of the log is dropped: a second in all. */
export const WRITE_TRIES_MAX = 100;
export const WRITE_PAUSE_MS = 10;

// Tracing.

/** Ended spans that wait for the collector; what comes beyond is dropped. About 1 KiB each: 2 MiB. */
export const SPANS_QUEUED_MAX = 2048;

/** Spans of one export: writing them as JSON takes the event loop about a millisecond. */
export const SPANS_PER_EXPORT = 128;

/** How long ended spans wait for company. */
export const EXPORT_INTERVAL_MS = 1000;

/** An export that takes longer, its retries included, is given up, and its spans with it. */
export const EXPORT_TIMEOUT_MS = 5000;

/** A process that ends waits no longer for its last spans. */
export const FLUSH_MS_MAX = 2000;

/** A collector that is not there is said once in so long. */
export const FAILURE_LOG_INTERVAL_MS = 60_000;

/** Characters of an attribute's value. */
export const ATTRIBUTE_LENGTH_MAX = 256;

/** Attributes of a span, and events. */
export const ATTRIBUTES_MAX = 32;
export const EVENTS_MAX = 16;

/** Characters of the headers that are read; W3C asks for 512 of tracestate at least. */
export const TRACEPARENT_LENGTH_MAX = 128;
export const TRACESTATE_LENGTH_MAX = 512;

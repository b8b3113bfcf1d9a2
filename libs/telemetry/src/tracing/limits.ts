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

// What a process says of itself: lines, numbers, spans.

export type { HistogramSeries } from "./histogram.ts";
export { createLogger, LOG_LEVELS } from "./logger.ts";
export { createMetrics, type Metrics, type Tally } from "./metrics.ts";
export { StandardError } from "./standard-error.ts";
export { openTracing } from "./tracing/open-tracing.ts";
export { TRACE_FLAGS } from "./tracing/trace-flags.ts";

// Who is told: probes and scrapers, on a thread of their own.

export { type AdminSubject, startAdminServer } from "./admin-server.ts";
export { askPulse } from "./ask-pulse.ts";

// For tests.

export { type CollectedSpan, FakeCollector } from "./tracing/testing/fake-collector.ts";

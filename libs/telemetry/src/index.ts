export { type AdminSubject, startAdminServer } from "./admin-server.ts";
export { createLogger, LOG_LEVELS } from "./logger.ts";
export { createMetrics, type Metrics } from "./metrics.ts";
export { openTracing } from "./tracing/open-tracing.ts";
export { type CollectedSpan, FakeCollector } from "./tracing/testing/fake-collector.ts";
export { TRACE_FLAGS } from "./tracing/trace-flags.ts";

export * from "./open-tracing.ts";
export * from "./testing/fake-collector.ts";
export * from "./trace-flags.ts";

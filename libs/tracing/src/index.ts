export * from "./open-tracing.ts";
export * from "./trace-flags.ts";

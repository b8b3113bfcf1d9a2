/** Flags of every process that takes part in traces. */
export const TRACE_FLAGS = {
  otlpEndpoint: {
    kind: "string",
    valueName: "URL",
    help: "Send traces to this OpenTelemetry collector, by OTLP over HTTP, such as http://127.0.0.1:4318; absent: no tracing.",
  },
  traceRatio: {
    kind: "number",
    default: 0.01,
    min: 0,
    max: 1,
    valueName: "R",
    help: "Part of the requests that are traced where their client does not say so itself.",
  },
} as const;

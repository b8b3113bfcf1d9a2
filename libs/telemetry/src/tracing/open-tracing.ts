import { DroverError, type Logger, noTracer, sleepUnlessAborted, systemClock, type Tracer } from "@drover/core";
import { FLUSH_MS_MAX } from "../limits.ts";

export type TracingOptions = Readonly<{
  /** Undefined: nothing is traced, and nothing of OpenTelemetry is loaded. */
  otlpEndpoint: string | undefined;
  /** Part of the requests that are traced where their client does not say, from 0 to 1. */
  traceRatio: number;
  /** The kind of process: it is the service `drover-router` and so on. */
  process: string;
  /** What tells it from others of its kind. */
  instance: string;
  logger: Logger;
}>;

/** A process's tracer. Disposing it sends what is left, for a bounded time. */
export type Tracing = AsyncDisposable & Readonly<{ tracer: Tracer }>;

/**
 * Starts tracing where an endpoint is given. A collector that is away or slow costs spans, never a request: they wait in a bounded queue and
 * are then dropped. Errors: `invalid_argument` for an endpoint that is no HTTP URL.
 */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  const { otlpEndpoint } = options;
  if (otlpEndpoint === undefined) return { tracer: noTracer, [Symbol.asyncDispose]: async () => undefined };
  const url = tracesUrl(otlpEndpoint);
  const { otlpTracer } = await import("./otlp-tracer.ts");
  const { tracer, shutDown } = otlpTracer({ ...options, url });
  return {
    tracer,
    [Symbol.asyncDispose]: async () => {
      const sent = new AbortController();
      void shutDown().then(() => sent.abort(new DroverError("cancelled", "all spans are sent")));
      await sleepUnlessAborted(systemClock, FLUSH_MS_MAX, sent.signal);
    },
  };
}

/** As OTEL_EXPORTER_OTLP_ENDPOINT is read: an address without a path gets OTLP's own. */
function tracesUrl(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new DroverError(
      "invalid_argument",
      `--otlp-endpoint takes an http or https URL, not ${JSON.stringify(endpoint)}`,
      {
        field: "otlp-endpoint",
      },
    );
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return url.href;
}

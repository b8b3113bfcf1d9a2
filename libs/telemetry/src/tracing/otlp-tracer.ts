import type { SpanOptions as BeginOptions, Logger, TraceContext, Tracer, TraceSpan } from "@drover/core";
import { type Context, ROOT_CONTEXT, type Tracer as SdkTracer, SpanKind, trace } from "@opentelemetry/api";
import { setGlobalErrorHandler } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import {
  ATTRIBUTE_LENGTH_MAX,
  ATTRIBUTES_MAX,
  EVENTS_MAX,
  EXPORT_INTERVAL_MS,
  EXPORT_TIMEOUT_MS,
  FAILURE_LOG_INTERVAL_MS,
  SPANS_PER_EXPORT,
  SPANS_QUEUED_MAX,
} from "../limits.ts";
import { OtlpSpan } from "./otlp-span.ts";
import { remoteContext } from "./remote-context.ts";

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

export type OtlpTracerOptions = Readonly<{
  url: string;
  traceRatio: number;
  process: string;
  instance: string;
  logger: Logger;
}>;

/** A tracer that sends spans over OTLP. Loaded only where one is asked for: OpenTelemetry takes memory and start-up time. */
export function otlpTracer(options: OtlpTracerOptions): Readonly<{ tracer: Tracer; shutDown: () => Promise<void> }> {
  const { url, traceRatio, process, instance, logger } = options;
  logFailures(logger);
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": `drover-${process}`, "service.instance.id": instance }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(traceRatio) }),
    spanLimits: {
      attributeValueLengthLimit: ATTRIBUTE_LENGTH_MAX,
      attributeCountLimit: ATTRIBUTES_MAX,
      eventCountLimit: EVENTS_MAX,
    },
    spanProcessors: [
      new BatchSpanProcessor(exporter, {
        maxQueueSize: SPANS_QUEUED_MAX,
        maxExportBatchSize: SPANS_PER_EXPORT,
        scheduledDelayMillis: EXPORT_INTERVAL_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  return {
    tracer: new OtlpTracer(provider.getTracer("drover")),
    // What could not be sent was said by then.
    shutDown: () => provider.shutdown().catch(() => undefined),
  };
}

class OtlpTracer implements Tracer {
  readonly #sdk: SdkTracer;

  constructor(sdk: SdkTracer) {
    this.#sdk = sdk;
  }

  begin(name: string, client: Partial<TraceContext>, options?: BeginOptions): TraceSpan | undefined {
    return this.#start(name, remoteContext(client) ?? ROOT_CONTEXT, options);
  }

  join(name: string, parent: TraceContext | undefined, options?: BeginOptions): TraceSpan | undefined {
    const context = parent && remoteContext(parent);
    return context && this.#start(name, context, options);
  }

  #start(name: string, parent: Context, { kind, attributes, beganAtMs }: BeginOptions = {}): TraceSpan | undefined {
    const span = this.#sdk.startSpan(
      name,
      {
        kind: kind === undefined ? SpanKind.INTERNAL : KINDS[kind],
        ...(attributes && { attributes }),
        ...(beganAtMs !== undefined && { startTime: beganAtMs }),
      },
      parent,
    );
    if (!span.isRecording()) return undefined;
    const own = trace.setSpan(parent, span);
    return new OtlpSpan(span, (childName, childOptions) => this.#start(childName, own, childOptions));
  }
}

/** The handler of export failures for the whole process, as OpenTelemetry has one place for it: says one a minute. */
function logFailures(logger: Logger): void {
  let nextMs = 0;
  setGlobalErrorHandler((error) => {
    const nowMs = performance.now();
    if (nowMs < nextMs) return;
    nextMs = nowMs + FAILURE_LOG_INTERVAL_MS;
    const reason = typeof error === "string" ? error : error instanceof Error ? error.message : "unknown";
    logger.warn("trace.export_failed", { reason });
  });
}

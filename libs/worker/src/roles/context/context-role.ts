import type { ModelConfig } from "@drover/checkpoint";
import type { KvDtype, Tracer } from "@drover/core";
import { contextTokensMax, kvGeometry } from "@drover/kv";
import { ContextStore } from "@drover/onnx";
import { contextService } from "@drover/rpc";
import type { Metrics } from "@drover/telemetry";

type ContextRoleOptions = Readonly<{
  modelName: string;
  kvMemory: number;
  kvDtype: KvDtype;
  threads: number;
  tracer: Tracer;
}>;

const ATTEND_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Holds segments of long contexts for attention workers; it needs no weights. */
export function startContext(config: ModelConfig, options: ContextRoleOptions, metrics: Metrics) {
  const model = { model_name: options.modelName };
  const labels = ["model_name"] as const;
  const seconds = metrics.histogram("drover_context_attend_seconds", "Attention of one frame", labels, ATTEND_BUCKETS);
  const rows = metrics.counter("drover_context_attend_rows_total", "Rows that attended to what is held here", labels);
  const bytes = metrics.gauge("drover_context_bytes", "KV bytes of segments that are held for others", [
    ...labels,
    "kind",
  ]);
  const segments = metrics.gauge("drover_context_segments", "Segments that are held for others", labels);
  const geometry = kvGeometry(config, options.kvDtype);
  const store = new ContextStore(config, geometry, {
    threads: options.threads,
    bytesMax: options.kvMemory,
    kvDtype: options.kvDtype,
  });
  seconds.zero(model);
  rows.inc(model, 0);
  metrics.beforeScrape(() => {
    bytes.set({ ...model, kind: "used" }, store.byteCount);
    bytes.set({ ...model, kind: "max" }, store.bytesMax);
    segments.set(model, store.segmentCount);
  });
  const observer = {
    attended: (rowCount: number, took: number) => {
      rows.inc(model, rowCount);
      seconds.observe(model, took);
    },
  };
  return {
    service: contextService(store, observer, options.tracer),
    facts: () => ({
      kvDtype: store.dtype,
      byteCount: store.byteCount,
      bytesMax: store.bytesMax,
      segmentCount: store.segmentCount,
    }),
    /** The fields of a worker's status that say what it holds. */
    kvFacts: () => ({
      kvBytesUsed: BigInt(store.byteCount),
      kvBytesMax: BigInt(store.bytesMax),
      globalKv: { $typeName: "drover.internal.v1.KvBytes", referenced: BigInt(store.byteCount), cached: 0n } as const,
    }),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

/** From how many tokens on contexts are striped: what is asked for, else what half of the attention worker's KV holds. */
export function stripeAbove(
  config: ModelConfig,
  options: Readonly<{ kvMemory: number; kvDtype: KvDtype; prefillChunk: number; stripeAbove: number | undefined }>,
): number {
  const geometry = kvGeometry(config, options.kvDtype);
  return options.stripeAbove ?? contextTokensMax(geometry, options.kvMemory / 2, options.prefillChunk);
}

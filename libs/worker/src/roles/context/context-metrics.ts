import type { KeptSegments } from "@drover/rpc";
import type { Metrics } from "@drover/telemetry";

const ATTEND_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Counts what is attended over segments, and shows in gauges what `store` holds: for open sequences, and what is only `kept` for those to come. */
export function contextMetrics(
  metrics: Metrics,
  modelName: string,
  store: Readonly<{ byteCount: number; bytesMax: number; segmentCount: number }>,
  kept: Pick<KeptSegments, "byteCount" | "count" | "goneCount">,
) {
  const model = { model_name: modelName };
  const labels = ["model_name"] as const;
  const seconds = metrics.histogram("drover_context_attend_seconds", "Attention of one frame", labels, ATTEND_BUCKETS);
  const rows = metrics.counter("drover_context_attend_rows_total", "Rows that attended to what is held here", labels);
  const bytes = metrics.gauge("drover_context_bytes", "KV bytes of segments that are held for others", [
    ...labels,
    "kind",
  ]);
  const segments = metrics.gauge("drover_context_segments", "Segments that are held for open sequences", labels);
  const cached = metrics.gauge(
    "drover_context_cached_segments",
    "Segments that are kept for sequences to come",
    labels,
  );
  const goneHelp = "Segments that were kept for sequences to come and have made room for others";
  const gone = metrics.counter("drover_context_evicted_segments_total", goneHelp, labels);
  let goneCount = 0;
  seconds.of(model);
  rows.inc(model, 0);
  gone.inc(model, 0);
  metrics.beforeScrape(() => {
    bytes.set({ ...model, kind: "used" }, store.byteCount - kept.byteCount);
    bytes.set({ ...model, kind: "cached" }, kept.byteCount);
    bytes.set({ ...model, kind: "max" }, store.bytesMax);
    segments.set(model, store.segmentCount - kept.count);
    cached.set(model, kept.count);
    gone.inc(model, kept.goneCount - goneCount);
    goneCount = kept.goneCount;
  });
  return {
    attended: (rowCount: number, tookSeconds: number) => {
      rows.inc(model, rowCount);
      seconds.observe(model, tookSeconds);
    },
  };
}

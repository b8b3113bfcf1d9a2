import type { Metrics } from "@drover/telemetry";
import type { FeatureCacheFacts } from "./feature-cache.ts";

const ENCODE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

export type VisionGauges = FeatureCacheFacts & Readonly<{ bytesMax: number; waitingCount: number }>;

/** What the vision role counts. */
export function visionMetrics(metrics: Metrics, modelName: string) {
  const model = { model_name: modelName };
  const labels = ["model_name"] as const;
  const encodes = metrics.histogram("drover_vision_encode_seconds", "Encoding of one image", labels, ENCODE_BUCKETS);
  const tiles = metrics.counter("drover_vision_tiles_total", "Tiles encoded", labels);
  const waiting = metrics.gauge("drover_vision_images_waiting", "Images that wait or are being encoded", labels);
  const lookups = metrics.counter("drover_vision_cache_lookups_total", "Images that were asked for, by outcome", [
    ...labels,
    "outcome",
  ]);
  const bytes = metrics.gauge("drover_vision_cache_bytes", "Bytes of features", [...labels, "kind"]);
  const entries = metrics.gauge("drover_vision_cache_images", "Images whose features are kept", labels);
  encodes.of(model);
  tiles.inc(model, 0);
  return {
    encoded: (tileCount: number, seconds: number) => {
      encodes.observe(model, seconds);
      tiles.inc(model, tileCount);
    },
    /** Reads gauges at each scrape. */
    watch: (read: () => VisionGauges) => {
      let counted = { hits: 0, misses: 0 };
      metrics.beforeScrape(() => {
        const now = read();
        lookups.inc({ ...model, outcome: "hit" }, now.hits - counted.hits);
        lookups.inc({ ...model, outcome: "miss" }, now.misses - counted.misses);
        counted = now;
        waiting.set(model, now.waitingCount);
        bytes.set({ ...model, kind: "used" }, now.byteCount);
        bytes.set({ ...model, kind: "max" }, now.bytesMax);
        entries.set(model, now.entryCount);
      });
    },
  };
}

import type { KvDtype, KvUse } from "@drover/core";
import { type KvGeometry, rowBytesOf } from "@drover/kv";
import type { Metrics } from "@drover/telemetry";

/** What an attention worker has to do, and what its KV holds. */
export type AttentionLoad = Readonly<{
  /** Choices that hold KV, and those that wait for their first step. */
  runningCount: number;
  waitingCount: number;
  pendingTokenCount: number;
  tokenCountToStore: number;
  kvBytesUsed: number;
  kvBytesMax: number;
  kvUse: Readonly<{ global: KvUse; local: KvUse }>;
  /** Sequences of which context workers hold a part, or will. */
  stripedCount: number;
  kvDtype: KvDtype;
}>;

/** Shows the load in gauges, which are read at each scrape. */
export function watchLoad(metrics: Metrics, modelName: string, read: () => AttentionLoad): void {
  const model = { model_name: modelName };
  const labels = ["model_name"] as const;
  const running = metrics.gauge("vllm:num_requests_running", "Choices that hold KV", labels);
  const waiting = metrics.gauge("vllm:num_requests_waiting", "Choices that wait for their first step", labels);
  const striped = metrics.gauge(
    "drover_striped_sequences",
    "Sequences of which context workers hold a part, or will",
    labels,
  );
  const usage = metrics.gauge(
    "vllm:kv_cache_usage_perc",
    "KV bytes that requests hold, of their limit, 0 to 1",
    labels,
  );
  const layerBytes = metrics.gauge("drover_kv_layer_bytes", "KV bytes of each kind of layers by use", [
    ...labels,
    "layers",
    "state",
  ]);
  const bytes = metrics.gauge("drover_kv_bytes", "KV bytes", [...labels, "kind"]);
  metrics.beforeScrape(() => {
    const now = read();
    running.set(model, now.runningCount);
    waiting.set(model, now.waitingCount);
    striped.set(model, now.stripedCount);
    usage.set(model, now.kvBytesMax === 0 ? 0 : now.kvBytesUsed / now.kvBytesMax);
    bytes.set({ ...model, kind: "used" }, now.kvBytesUsed);
    bytes.set({ ...model, kind: "max" }, now.kvBytesMax);
    for (const layers of ["global", "local"] as const) {
      for (const state of ["referenced", "cached"] as const)
        layerBytes.set({ ...model, layers, state }, now.kvUse[layers][state]);
    }
  });
}

/** Tells once what a token's KV takes in each kind of layers, and what it is kept as. */
export function tellTokenBytes(metrics: Metrics, modelName: string, geometry: KvGeometry, dtype: KvDtype): void {
  const bytes = metrics.gauge("drover_kv_token_bytes", "KV bytes of one token in all layers of a kind", [
    "model_name",
    "layers",
    "dtype",
  ]);
  for (const layers of ["global", "local"] as const)
    bytes.set({ model_name: modelName, layers, dtype }, rowBytesOf(geometry, layers));
}

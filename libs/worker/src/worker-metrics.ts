import type { SequenceStore } from "@drover/core";
import type { EngineObserver } from "@drover/engine";
import type { ExchangeObserver } from "@drover/exchange";
import type { ExchangeMeter } from "@drover/rpc";
import type { Metrics } from "@drover/telemetry";

const RATIO_BUCKETS = [0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4];
const STEP_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1];

/** Everything that a worker counts, as the observers that its parts report to. */
export function workerMetrics(metrics: Metrics, modelName: string) {
  const model = { model_name: modelName };
  const labels = ["model_name"] as const;
  const promptTokens = metrics.counter("vllm:prompt_tokens_total", "Prompt tokens computed", labels);
  const generatedTokens = metrics.counter("vllm:generation_tokens_total", "Tokens generated", labels);
  const preemptions = metrics.counter(
    "vllm:num_preemptions_total",
    "Sequences whose KV was given up and is computed again",
    labels,
  );
  const running = metrics.gauge("vllm:num_requests_running", "Choices that hold KV", labels);
  const waiting = metrics.gauge("vllm:num_requests_waiting", "Choices that wait for their first step", labels);
  const striped = metrics.gauge(
    "drover_striped_sequences",
    "Sequences of which context workers hold a part, or will",
    labels,
  );
  const kvUsage = metrics.gauge(
    "vllm:kv_cache_usage_perc",
    "KV bytes that requests hold, of their limit, 0 to 1",
    labels,
  );
  const prefixQueries = metrics.counter(
    "vllm:prefix_cache_queries_total",
    "Prompt tokens of requests that got KV",
    labels,
  );
  const prefixHits = metrics.counter("vllm:prefix_cache_hits_total", "Prompt tokens of them that were cached", labels);
  const kvLayers = metrics.gauge("drover_kv_layer_bytes", "KV bytes of each kind of layers by use", [
    ...labels,
    "layers",
    "state",
  ]);
  const kvBytes = metrics.gauge("drover_kv_bytes", "KV bytes", [...labels, "kind"]);
  const steps = metrics.histogram("drover_step_seconds", "Length of a step", labels, STEP_BUCKETS);
  const predicted = metrics.counter("drover_step_predicted_seconds_total", "Predicted length of the steps", labels);
  const measured = metrics.counter("drover_step_measured_seconds_total", "Length of the same steps", labels);
  const ratio = metrics.histogram(
    "drover_step_ratio",
    "Measured length of a step by its predicted one",
    labels,
    RATIO_BUCKETS,
  );
  const stepShare = metrics.counter("drover_step_seconds_by_part_total", "Where steps' time went", [...labels, "part"]);
  const stepRows = metrics.counter("drover_step_rows_total", "Rows computed", labels);
  const parked = metrics.counter(
    "drover_parked_choices_total",
    "Steps of choices that an expert did not answer in time",
    labels,
  );
  const exchangeRows = metrics.counter("drover_exchange_rows_total", "Rows that asked for an expert, by layer", [
    ...labels,
    "layer",
  ]);
  const missingRows = metrics.counter("drover_exchange_missing_rows_total", "Of them, those without an answer", labels);
  const exchange = metrics.histogram(
    "drover_exchange_seconds",
    "One worker's rows of one layer, there and back",
    [...labels, "peer"],
    [...STEP_BUCKETS, 2.5, 5],
  );
  const exchangeBytes = metrics.counter("drover_exchange_bytes_total", "Activations exchanged", [
    ...labels,
    "peer",
    "direction",
  ]);

  const prefix = { promptTokenCount: 0, cachedTokenCount: 0 };
  const engine: EngineObserver = {
    stepEnded: ({ rowCount, totalMs, computeMs, exchangeMs, predictedMs, measuredMs }) => {
      predicted.inc(model, predictedMs / 1000);
      measured.inc(model, measuredMs / 1000);
      ratio.observe(model, measuredMs / predictedMs);
      steps.observe(model, totalMs / 1000);
      stepRows.inc(model, rowCount);
      stepShare.inc({ ...model, part: "sessions" }, computeMs / 1000);
      stepShare.inc({ ...model, part: "exchange" }, exchangeMs / 1000);
      stepShare.inc({ ...model, part: "other" }, Math.max(0, totalMs - computeMs - exchangeMs) / 1000);
    },
    tokensComputed: (prompt, generated) => {
      promptTokens.inc(model, prompt);
      generatedTokens.inc(model, generated);
    },
    preempted: () => preemptions.inc(model),
    prefixFound: (prompt, cached) => {
      prefix.promptTokenCount += prompt;
      prefix.cachedTokenCount += cached;
      prefixQueries.inc(model, prompt);
      prefixHits.inc(model, cached);
    },
    parked: (count) => parked.inc(model, count),
  };
  // Counted here and handed to the registry at a scrape: this runs for every expert of every layer and step.
  const routed = new Map<number, number>();
  const routing: ExchangeObserver = {
    rowsRouted: (layer, _expert, count) => routed.set(layer, (routed.get(layer) ?? 0) + count),
    rowsMissing: (_layer, count) => missingRows.inc(model, count),
  };
  metrics.beforeScrape(() => {
    for (const [layer, count] of routed) exchangeRows.inc({ ...model, layer: String(layer) }, count);
    routed.clear();
  });
  const meter: ExchangeMeter = {
    exchanged: (peer, seconds, bytesOut, bytesIn) => {
      exchange.observe({ ...model, peer }, seconds);
      exchangeBytes.inc({ ...model, peer, direction: "out" }, bytesOut);
      exchangeBytes.inc({ ...model, peer, direction: "in" }, bytesIn);
    },
  };
  return {
    engine,
    /** Prompt tokens of requests that got KV, and those of them that were cached. */
    prefix: prefix as Readonly<typeof prefix>,
    routing,
    meter,
    /** Reads gauges at each scrape. What has not happened yet is counted as 0 from here on, so that a first time is a rise. */
    watch: (
      read: () => Readonly<{
        runningCount: number;
        waitingCount: number;
        kvBytesUsed: number;
        kvBytesMax: number;
        kvUse: SequenceStore["kvUse"] | undefined;
        stripedCount: number;
      }>,
    ) => {
      for (const counter of [
        promptTokens,
        generatedTokens,
        preemptions,
        parked,
        prefixQueries,
        prefixHits,
        missingRows,
      ])
        counter.inc(model, 0);
      metrics.beforeScrape(() => {
        const now = read();
        running.set(model, now.runningCount);
        waiting.set(model, now.waitingCount);
        striped.set(model, now.stripedCount);
        kvUsage.set(model, now.kvBytesMax === 0 ? 0 : now.kvBytesUsed / now.kvBytesMax);
        kvBytes.set({ ...model, kind: "used" }, now.kvBytesUsed);
        kvBytes.set({ ...model, kind: "max" }, now.kvBytesMax);
        for (const layers of ["global", "local"] as const) {
          for (const state of ["referenced", "cached"] as const)
            kvLayers.set({ ...model, layers, state }, now.kvUse?.[layers][state] ?? 0);
        }
      });
    },
  };
}

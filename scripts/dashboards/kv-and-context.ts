import { dashboard } from "./dashboard.ts";
import { figure, graph } from "./panels.ts";
import { quantiles } from "./queries.ts";

/** What KV memory holds, what reuse saves, and long contexts on context workers. */
export const kvAndContext = dashboard({
  uid: "drover-kv",
  title: "Drover / KV and context",
  description: "KV memory of attention workers, reuse of prefixes, and segments of long contexts.",
  variables: [{ name: "worker", metric: "drover_kv_bytes{$F}", label: "worker", multi: true }],
  rows: [
    {
      title: "KV",
      panels: [
        figure({
          title: "Fullest worker",
          about: "Part of its KV memory that running requests hold.",
          unit: "percentunit",
          query: "max(vllm:kv_cache_usage_perc{$W})",
          limits: [
            [0.8, "yellow"],
            [0.9, "red"],
          ],
        }),
        figure({
          title: "Preemptions",
          about: "Sequences each second whose KV was given up and is computed again, because memory ran out.",
          unit: "short",
          query: "sum(rate(vllm:num_preemptions_total{$W}[$R]))",
          limits: [[0.01, "yellow"]],
        }),
        figure({
          title: "Prompt tokens from the cache",
          about: "Part of the prompt tokens of requests that got KV which were cached.",
          unit: "percentunit",
          query:
            "sum(rate(vllm:prefix_cache_hits_total{$W}[$R])) / (sum(rate(vllm:prefix_cache_queries_total{$W}[$R])) > 0)",
        }),
        figure({
          title: "Fullest context worker",
          about: "Part of its memory that segments of long contexts take.",
          unit: "percentunit",
          query:
            'max(drover_context_bytes{$F,kind="used"} / ignoring (kind) (drover_context_bytes{$F,kind="max"} > 0))',
          limits: [
            [0.8, "yellow"],
            [0.9, "red"],
          ],
        }),
      ],
    },
    {
      title: "Memory",
      panels: [
        graph({
          title: "KV in use by worker",
          about: "Part of the limit that running requests hold, cached prefixes not counted.",
          unit: "percentunit",
          max: 1,
          queries: [{ expr: "max by (worker) (vllm:kv_cache_usage_perc{$W})", legend: "{{worker}}" }],
        }),
        graph({
          title: "KV by kind",
          about:
            "Global layers keep every row, local (chunked) layers those of the current chunk. What is only cached gives way to requests.",
          unit: "bytes",
          stacked: true,
          queries: [{ expr: "sum by (layers, state) (drover_kv_layer_bytes{$W})", legend: "{{layers}} {{state}}" }],
        }),
        graph({
          title: "KV limit and use",
          about: "Of the chosen workers together.",
          unit: "bytes",
          queries: [{ expr: "sum by (kind) (drover_kv_bytes{$W})", legend: "{{kind}}" }],
        }),
      ],
    },
    {
      title: "Prefixes",
      panels: [
        graph({
          title: "Prompt tokens: computed, cached, asked for",
          about: "Each second.",
          unit: "short",
          queries: [
            { expr: "sum(rate(vllm:prefix_cache_queries_total{$W}[$R]))", legend: "asked for" },
            { expr: "sum(rate(vllm:prefix_cache_hits_total{$W}[$R]))", legend: "cached" },
            { expr: "sum(rate(vllm:prompt_tokens_total{$W}[$R]))", legend: "computed" },
          ],
        }),
        graph({
          title: "Cached part: predicted and actual",
          about: "What the scheduler's index expected of the chosen worker, and what the worker found.",
          unit: "percentunit",
          max: 1,
          queries: [
            {
              expr: "sum(rate(drover_scheduler_predicted_cached_tokens_total{$F}[$R])) / (sum(rate(drover_scheduler_placed_prompt_tokens_total{$F}[$R])) > 0)",
              legend: "predicted",
            },
            {
              expr: "sum(rate(vllm:prefix_cache_hits_total{$F}[$R])) / (sum(rate(vllm:prefix_cache_queries_total{$F}[$R])) > 0)",
              legend: "actual",
            },
          ],
        }),
        graph({
          title: "Preemptions by worker",
          about: "Sequences each second whose KV was given up and is computed again.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (rate(vllm:num_preemptions_total{$W}[$R]))", legend: "{{worker}}" }],
        }),
      ],
    },
    {
      title: "Long contexts",
      panels: [
        graph({
          title: "Context workers' memory",
          about: "Bytes of segments, and the limit.",
          unit: "bytes",
          queries: [{ expr: "sum by (worker, kind) (drover_context_bytes{$F})", legend: "{{worker}} {{kind}}" }],
        }),
        graph({
          title: "Segments",
          about: "Finished segments of long contexts that context workers hold.",
          unit: "short",
          stacked: true,
          queries: [
            { expr: "sum by (worker) (drover_context_segments{$F})", legend: "{{worker}}" },
            { expr: "sum by (worker) (drover_context_cached_segments{$F})", legend: "{{worker}} cached" },
          ],
        }),
        graph({
          title: "Striped sequences",
          about: "Running on attention workers, with a part of their context on context workers.",
          unit: "short",
          stacked: true,
          queries: [{ expr: "sum by (worker) (drover_striped_sequences{$F})", legend: "{{worker}}" }],
        }),
        graph({
          title: "Attention over segments",
          about: "Of one frame of queries, on the context worker. Each step has one for every global layer.",
          unit: "s",
          queries: quantiles("drover_context_attend_seconds", "$F"),
        }),
        graph({
          title: "Rows that attended",
          about: "Rows each second, by context worker.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (rate(drover_context_attend_rows_total{$F}[$R]))", legend: "{{worker}}" }],
        }),
      ],
    },
  ],
});

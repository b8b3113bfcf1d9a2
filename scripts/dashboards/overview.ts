import { dashboard } from "./dashboard.ts";
import { figure, graph } from "./panels.ts";
import { quantiles } from "./queries.ts";
import { leaders } from "./shared-panels.ts";

/** The first one to open: is it well, and if not, where to look. */
export const overview = dashboard({
  uid: "drover-overview",
  title: "Drover / Overview",
  description: "Whether requests are served, how fast, and what is missing.",
  rows: [
    {
      title: "Now",
      panels: [
        figure({
          title: "Requests",
          about: "Requests that ended, each second.",
          unit: "reqps",
          query: "sum(rate(vllm:e2e_request_latency_seconds_count{$F}[$R]))",
        }),
        figure({
          title: "Faults",
          about: "Part of the requests that ended in an error that is not the client's.",
          unit: "percentunit",
          query: "sum(namespace:drover_server_faults:ratio5m{$F}) or vector(0)",
          limits: [
            [0.001, "yellow"],
            [0.02, "red"],
          ],
        }),
        figure({
          title: "First token, p99",
          about: "From a request's arrival to its first token.",
          unit: "s",
          query: "histogram_quantile(0.99, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{$F}[$R])))",
        }),
        figure({
          title: "Tokens",
          about: "Tokens generated, each second.",
          unit: "short",
          query: 'sum(rate(vllm:generation_tokens_total{$F,process="router"}[$R]))',
        }),
        leaders,
        figure({
          title: "Experts without holder",
          about:
            "Experts of all layers that no worker has in memory. Requests that need one wait, and fail when that takes too long.",
          unit: "short",
          query: "max(drover_scheduler_experts_without_holder{$F})",
          limits: [[1, "red"]],
        }),
      ],
    },
    {
      title: "Requests",
      panels: [
        graph({
          title: "Requests by outcome",
          many: true,
          about: "Finished choices by reason, and requests that ended in an error by its code.",
          unit: "reqps",
          stacked: true,
          queries: [
            {
              expr: "sum by (finished_reason) (rate(vllm:request_success_total{$F}[$R]))",
              legend: "{{finished_reason}}",
            },
            { expr: "sum by (code) (rate(drover_router_failures_total{$F}[$R]))", legend: "{{code}}" },
          ],
        }),
        graph({
          title: "Time to first token",
          about: "From a request's arrival to its first token.",
          unit: "s",
          queries: quantiles("vllm:time_to_first_token_seconds", "$F"),
        }),
        graph({
          title: "Time between tokens",
          about: "Between two tokens of one request, as its router sees it.",
          unit: "s",
          queries: quantiles("vllm:inter_token_latency_seconds", "$F"),
        }),
      ],
    },
    {
      title: "Load",
      panels: [
        graph({
          title: "Tokens by kind",
          about:
            "Prompt tokens of finished requests, those of them that were cached, and generated tokens, each second.",
          unit: "short",
          queries: [
            { expr: 'sum(rate(vllm:prompt_tokens_total{$F,process="router"}[$R]))', legend: "prompt" },
            { expr: "sum(rate(vllm:prompt_tokens_cached_total{$F}[$R]))", legend: "prompt, cached" },
            { expr: 'sum(rate(vllm:generation_tokens_total{$F,process="router"}[$R]))', legend: "generated" },
          ],
        }),
        graph({
          title: "Oldest request in the queue",
          about: "By lane. What waits for long will time out.",
          unit: "s",
          queries: [{ expr: "max by (lane) (drover_scheduler_queue_oldest_age_seconds{$F})", legend: "{{lane}}" }],
        }),
        graph({
          title: "KV in use",
          about: "Part of each attention worker's KV memory that running requests hold, cached prefixes not counted.",
          unit: "percentunit",
          max: 1,
          queries: [{ expr: "max by (worker) (vllm:kv_cache_usage_perc{$F})", legend: "{{worker}}" }],
        }),
      ],
    },
    {
      title: "Fleet",
      panels: [
        graph({
          title: "Workers by role and state",
          about: "As the leader knows them.",
          unit: "short",
          stacked: true,
          queries: [{ expr: "max by (role, state) (drover_scheduler_workers{$F}) > 0", legend: "{{role}} {{state}}" }],
        }),
        graph({
          title: "Processes that are ready",
          about: "By kind of process, as /readyz says.",
          unit: "short",
          queries: [{ expr: "sum by (process) (drover_ready{$F})", legend: "{{process}}" }],
        }),
        graph({
          title: "Event loop lag, p99",
          about:
            "The worst process of each kind. A worker's steps take up to 250 ms of its loop; others should stay below that.",
          unit: "s",
          queries: [
            {
              expr: 'max by (process) (drover_event_loop_lag_seconds{$F,quantile="0.99"})',
              legend: "{{process}}",
            },
          ],
        }),
      ],
    },
  ],
});

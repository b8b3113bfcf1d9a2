import { dashboard } from "./dashboard.ts";
import { figure, graph, heat } from "./panels.ts";
import { quantiles } from "./queries.ts";

/** What clients see. */
export const router = dashboard({
  uid: "drover-router",
  title: "Drover / Router",
  description: "Requests as routers see them: outcomes, latency, refusals, streams and images.",
  rows: [
    {
      title: "Now",
      panels: [
        figure({
          title: "In flight",
          about: "Requests that were admitted and have not ended.",
          unit: "short",
          query: "sum(drover_router_requests_in_flight{$F})",
        }),
        figure({
          title: "Ready routers",
          about: "Routers whose /readyz answers 200.",
          unit: "short",
          query: 'sum(drover_ready{$F,process="router"})',
          base: "red",
          limits: [[1, "green"]],
        }),
        figure({
          title: "Refused",
          about: "Part of the requests that were refused with 429.",
          unit: "percentunit",
          query: "sum(namespace:drover_overloads:ratio5m{$F}) or vector(0)",
          limits: [
            [0.01, "yellow"],
            [0.1, "red"],
          ],
        }),
        figure({
          title: "Whole request, p99",
          about: "From a request's arrival to its end.",
          unit: "s",
          query: "histogram_quantile(0.99, sum by (le) (rate(vllm:e2e_request_latency_seconds_bucket{$F}[$R])))",
        }),
      ],
    },
    {
      title: "Outcomes",
      panels: [
        graph({
          title: "Finished choices",
          about: "By reason: stop (the model ended), length (the limit), abort (the client left).",
          unit: "reqps",
          stacked: true,
          queries: [
            {
              expr: "sum by (finished_reason) (rate(vllm:request_success_total{$F}[$R]))",
              legend: "{{finished_reason}}",
            },
          ],
        }),
        graph({
          title: "Errors by code",
          many: true,
          about: "Requests that ended in an error.",
          unit: "reqps",
          stacked: true,
          queries: [{ expr: "sum by (code) (rate(drover_router_failures_total{$F}[$R]))", legend: "{{code}}" }],
        }),
        graph({
          title: "Refused for the wait, and added again",
          many: true,
          about:
            "Refused at the door because they were predicted to wait too long, by lane; and added to the queue again, by cause.",
          unit: "reqps",
          queries: [
            {
              expr: "sum by (lane) (rate(drover_router_refused_for_wait_total{$F}[$R]))",
              legend: "refused: {{lane}}",
            },
            { expr: "sum by (cause) (rate(drover_router_readds_total{$F}[$R]))", legend: "again: {{cause}}" },
          ],
        }),
      ],
    },
    {
      title: "Latency",
      panels: [
        graph({
          title: "Time to first token",
          about: "From a request's arrival.",
          unit: "s",
          queries: quantiles("vllm:time_to_first_token_seconds", "$F"),
        }),
        graph({
          title: "Time between tokens",
          about: "Of one request.",
          unit: "s",
          queries: quantiles("vllm:inter_token_latency_seconds", "$F"),
        }),
        graph({
          title: "Time to the end",
          about: "From a request's arrival to its end.",
          unit: "s",
          queries: quantiles("vllm:e2e_request_latency_seconds", "$F"),
        }),
      ],
    },
    {
      title: "Requests",
      panels: [
        heat({
          title: "Prompt tokens",
          about: "Finished requests by the length of their prompts.",
          unit: "short",
          buckets: true,
          queries: [{ expr: "sum by (le) (increase(vllm:request_prompt_tokens_bucket{$F}[$R]))", legend: "{{le}}" }],
        }),
        heat({
          title: "Generated tokens",
          about: "Finished requests by the tokens of all their choices.",
          unit: "short",
          buckets: true,
          queries: [
            { expr: "sum by (le) (increase(vllm:request_generation_tokens_bucket{$F}[$R]))", legend: "{{le}}" },
          ],
        }),
        graph({
          title: "Cached part of prompts",
          about: "p50 and p99 of the part of a prompt that its worker did not have to compute.",
          unit: "percentunit",
          max: 1,
          queries: quantiles("drover_router_cached_share", "$F"),
        }),
      ],
    },
    {
      title: "Images",
      panels: [
        graph({
          title: "Opening an image",
          about: "Fetching, decoding and cutting it into tiles.",
          unit: "s",
          queries: quantiles("drover_router_image_open_seconds", "$F"),
        }),
        graph({
          title: "Waiting for features",
          about: "Until vision workers have an image's features, by outcome.",
          unit: "s",
          queries: quantiles("drover_router_image_encode_seconds", "$F", ["outcome"]),
        }),
        graph({
          title: "Tiles in memory",
          about: "Bytes that requests in flight keep.",
          unit: "bytes",
          queries: [{ expr: "sum by (instance) (drover_router_image_bytes_held{$F})", legend: "{{instance}}" }],
        }),
        graph({
          title: "Memory kept for requests",
          about:
            "Part of each budget that is in use, of the fullest router: at 1 more of the kind is refused with 429.",
          unit: "percentunit",
          queries: [
            {
              expr: "max by (kind) (drover_router_memory_bytes{$F} / drover_router_memory_budget_bytes{$F})",
              legend: "{{kind}}",
            },
          ],
        }),
      ],
    },
    {
      title: "Process",
      panels: [
        graph({
          title: "Requests in flight by router",
          about: "Each router refuses what is above its --max-requests. Waiting: until the cluster can serve again.",
          unit: "short",
          queries: [
            { expr: "sum by (instance) (drover_router_requests_in_flight{$F})", legend: "{{instance}}" },
            { expr: "sum(drover_router_requests_waiting_for_cluster{$F})", legend: "of these waiting" },
          ],
        }),
        graph({
          title: "Token streams",
          about: "Streams from attention workers that are up: one for each worker that has a request of the router.",
          unit: "short",
          queries: [{ expr: "sum by (instance) (drover_router_token_streams{$F})", legend: "{{instance}}" }],
        }),
        graph({
          title: "Event loop in use",
          about: "Part of the time that the router's event loop is busy. Near 1, add routers.",
          unit: "percentunit",
          max: 1,
          queries: [
            {
              expr: 'sum by (instance) (rate(drover_event_loop_active_seconds_total{$F,process="router"}[$R]))',
              legend: "{{instance}}",
            },
          ],
        }),
        graph({
          title: "Slow readers and stale events",
          about:
            "Requests each second that were cancelled because their client did not read, and events of attempts that another one has replaced.",
          unit: "short",
          queries: [
            { expr: "sum(rate(drover_router_slow_readers_total{$F}[$R]))", legend: "slow readers" },
            { expr: "sum(rate(drover_router_stale_events_total{$F}[$R]))", legend: "stale events" },
          ],
        }),
        graph({
          title: "Drained",
          about:
            "Requests in flight when a router began to refuse new ones, in an hour: finished, or cut off when its time was up.",
          unit: "short",
          queries: [
            {
              expr: "sum by (outcome) (increase(drover_router_drained_requests_total{$F}[1h]))",
              legend: "{{outcome}}",
            },
          ],
        }),
      ],
    },
  ],
});

import { dashboard } from "./dashboard.ts";
import { graph } from "./panels.ts";
import { quantiles } from "./queries.ts";

/** Each worker's steps, time and memory. */
export const workers = dashboard({
  uid: "drover-workers",
  title: "Drover / Workers",
  description: "Steps, time, memory and readiness of each worker.",
  variables: [{ name: "worker", metric: "drover_worker_role{$F}", label: "worker", multi: true }],
  rows: [
    {
      title: "State",
      panels: [
        graph({
          title: "Ready",
          many: true,
          about: "1 while /readyz answers 200.",
          unit: "short",
          max: 1,
          queries: [{ expr: "min by (worker) (drover_ready{$W})", legend: "{{worker}}" }],
        }),
        graph({
          title: "Draining",
          many: true,
          about: "1 once the worker was asked to end.",
          unit: "short",
          max: 1,
          queries: [{ expr: "max by (worker) (drover_draining{$W})", legend: "{{worker}}" }],
        }),
        graph({
          title: "Restarts",
          many: true,
          about: "In the last hour.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (changes(process_start_time_seconds{$W}[1h]))", legend: "{{worker}}" }],
        }),
      ],
    },
    {
      title: "Steps",
      panels: [
        graph({
          title: "Step",
          about: "Length of a step: all rows of one batch through all layers.",
          unit: "s",
          queries: quantiles("drover_step_seconds", "$W", ["worker"]),
        }),
        graph({
          title: "Where steps' time goes",
          about: "Sessions compute; exchange waits for experts; other is JavaScript.",
          unit: "percentunit",
          stacked: true,
          queries: [
            {
              expr: "sum by (part) (rate(drover_step_seconds_by_part_total{$W}[$R])) / scalar(sum(rate(drover_step_seconds_by_part_total{$W}[$R])) > 0)",
              legend: "{{part}}",
            },
          ],
        }),
        graph({
          title: "Measured by predicted",
          about: "Length of steps by what was predicted. Placement and budgets rest on it: 1 is right.",
          unit: "short",
          queries: [
            {
              expr: "sum by (worker) (rate(drover_step_measured_seconds_total{$W}[$R])) / sum by (worker) (rate(drover_step_predicted_seconds_total{$W}[$R]))",
              legend: "{{worker}}",
            },
          ],
        }),
      ],
    },
    {
      title: "Load",
      panels: [
        graph({
          title: "Choices that run and wait",
          about: "Of each attention worker.",
          unit: "short",
          queries: [
            { expr: "sum by (worker) (vllm:num_requests_running{$W})", legend: "{{worker}} running" },
            { expr: 'sum by (worker) (vllm:num_requests_waiting{$W,process="worker"})', legend: "{{worker}} waiting" },
          ],
        }),
        graph({
          title: "Rows",
          about: "Rows that steps computed, each second.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (rate(drover_step_rows_total{$W}[$R]))", legend: "{{worker}}" }],
        }),
        graph({
          title: "Tokens generated",
          about: "Each second.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (rate(vllm:generation_tokens_total{$W}[$R]))", legend: "{{worker}}" }],
        }),
      ],
    },
    {
      title: "Card",
      panels: [
        graph({
          title: "Card memory",
          about: "Of each worker's card by use; zeros without a card. Other: kernels' code, graphs, other processes.",
          unit: "bytes",
          queries: [{ expr: "sum by (worker, kind) (drover_card_bytes{$W})", legend: "{{worker}} {{kind}}" }],
        }),
        graph({
          title: "Steps computing",
          about:
            "The part of the time in which a worker's steps compute, on its card or CPU: all of theirs but waiting for rows of other workers' experts.",
          unit: "percentunit",
          queries: [
            {
              expr: 'sum by (worker) (rate(drover_step_seconds_by_part_total{$W, part="sessions"}[$R]))',
              legend: "{{worker}}",
            },
          ],
        }),
        graph({
          title: "Rows to other cards",
          about:
            "Frames of rows that went to other workers' experts, each second, by how: through memory on one host, else over gRPC.",
          unit: "short",
          queries: [
            {
              expr: "sum by (worker, transport) (rate(drover_exchange_frames_total{$W}[$R]))",
              legend: "{{worker}} {{transport}}",
            },
          ],
        }),
        graph({
          title: "Graphs",
          about: "Recorded steps that cards launch, each second. A step that is enqueued kernel by kernel is none.",
          unit: "short",
          queries: [
            { expr: "sum by (worker) (rate(drover_card_graph_replays_total{$W}[$R]))", legend: "{{worker}} launched" },
            {
              expr: "sum by (worker) (rate(drover_card_graphs_recorded_total{$W}[$R]))",
              legend: "{{worker}} recorded",
            },
          ],
        }),
      ],
    },
    {
      title: "Process",
      panels: [
        graph({
          title: "CPU",
          many: true,
          about: "Cores in use, all threads.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (rate(process_cpu_seconds_total{$W}[$R]))", legend: "{{worker}}" }],
        }),
        graph({
          title: "Memory",
          many: true,
          about: "Resident bytes.",
          unit: "bytes",
          queries: [{ expr: "sum by (worker) (drover_resident_bytes{$W})", legend: "{{worker}}" }],
        }),
        graph({
          title: "JavaScript heap",
          many: true,
          about: "Bytes in use.",
          unit: "bytes",
          queries: [{ expr: "sum by (worker) (drover_heap_used_bytes{$W})", legend: "{{worker}}" }],
        }),
        graph({
          title: "Event loop lag, p99",
          many: true,
          about: "How late timers run. A worker computes on its main thread: up to 250 ms is a step.",
          unit: "s",
          queries: [
            {
              expr: 'max by (worker) (drover_event_loop_lag_seconds{$W,quantile="0.99"})',
              legend: "{{worker}}",
            },
          ],
        }),
      ],
    },
    {
      title: "Vision",
      panels: [
        graph({
          title: "Encoding of an image",
          about: "On the vision worker.",
          unit: "s",
          queries: quantiles("drover_vision_encode_seconds", "$W"),
        }),
        graph({
          title: "Tiles",
          about: "Tiles encoded each second.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (rate(drover_vision_tiles_total{$W}[$R]))", legend: "{{worker}}" }],
        }),
        graph({
          title: "Images that wait",
          about: "That wait or are being encoded.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (drover_vision_images_waiting{$W})", legend: "{{worker}}" }],
        }),
        graph({
          title: "Features kept",
          about: "Lookups each second by outcome.",
          unit: "reqps",
          queries: [
            { expr: "sum by (outcome) (rate(drover_vision_cache_lookups_total{$W}[$R]))", legend: "{{outcome}}" },
          ],
        }),
        graph({
          title: "Features' memory",
          about: "Bytes of kept features, and the limit.",
          unit: "bytes",
          queries: [{ expr: "sum by (kind) (drover_vision_cache_bytes{$W})", legend: "{{kind}}" }],
        }),
      ],
    },
  ],
});

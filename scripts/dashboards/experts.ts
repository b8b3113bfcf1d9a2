import { dashboard } from "./dashboard.ts";
import { figure, graph, heat, matrix } from "./panels.ts";
import { quantiles } from "./queries.ts";

/** Which experts and holders are hot, and what the exchange with them costs. */
export const experts = dashboard({
  uid: "drover-experts",
  title: "Drover / Experts",
  description: "Heat by layer, expert and worker, and the exchange of rows with the workers that hold them.",
  variables: [
    { name: "worker", metric: "drover_expert_rows_total{$F}", label: "worker", multi: true },
    { name: "layer", metric: "drover_expert_rows_total{$F}", label: "layer", multi: false },
  ],
  rows: [
    {
      title: "Balance",
      panels: [
        figure({
          title: "Imbalance of workers",
          about:
            "Rows of the busiest expert worker by the mean of all. A step waits for the slowest holder: 1 is best.",
          unit: "short",
          query: "max(namespace:drover_expert_rows:imbalance5m{$F})",
          limits: [
            [1.25, "yellow"],
            [1.5, "orange"],
            [2, "red"],
          ],
        }),
        figure({
          title: "Rows",
          about: "Rows that experts compute, each second.",
          unit: "short",
          query: "sum(rate(drover_expert_rows_total{$F}[$R]))",
        }),
        figure({
          title: "Rows without an answer",
          about: "Each second. Their requests are parked and tried again.",
          unit: "short",
          query: "sum(rate(drover_exchange_missing_rows_total{$F}[$R]))",
          limits: [[0.001, "red"]],
        }),
        figure({
          title: "Experts without holder",
          about: "Experts of all layers that no worker has in memory.",
          unit: "short",
          query: "max(drover_scheduler_experts_without_holder{$F})",
          limits: [[1, "red"]],
        }),
        figure({
          title: "Experts without room",
          about: "Experts for which the workers that stay have no memory: no holder of theirs can go without a pause.",
          unit: "short",
          query: "max(drover_scheduler_experts_without_room{$F})",
          limits: [[1, "orange"]],
        }),
      ],
    },
    {
      title: "Heat",
      panels: [
        matrix({
          title: "Rows by layer and worker",
          about:
            "Rows each second that a worker's experts of a layer compute. A column that is warmer than others is a worker that others wait for.",
          unit: "short",
          query: "sum by (layer, worker) (rate(drover_expert_rows_total{$W}[$R]))",
          row: "layer",
          column: "worker",
        }),
        heat({
          title: "Imbalance by layer",
          about: "Rows of a layer's busiest expert by the mean of its experts, over time.",
          unit: "short",
          queries: [{ expr: "max by (layer) (layer:drover_expert_rows:imbalance5m{$F})", legend: "{{layer}}" }],
        }),
      ],
    },
    {
      title: "Heat over time",
      panels: [
        heat({
          title: "Rows by worker",
          about: "Rows each second of all of a worker's experts.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (rate(drover_expert_rows_total{$W}[$R]))", legend: "{{worker}}" }],
        }),
        heat({
          title: "Rows by expert of layer $layer",
          about: "Rows each second of each expert of the layer that is chosen above.",
          unit: "short",
          queries: [
            {
              expr: 'sum by (expert) (rate(drover_expert_rows_total{$F,layer="$layer"}[$R]))',
              legend: "{{expert}}",
            },
          ],
        }),
        graph({
          title: "Hottest experts",
          many: true,
          about: "The ten experts with most rows each second.",
          unit: "short",
          queries: [
            {
              expr: "topk(10, sum by (layer, expert) (rate(drover_expert_rows_total{$W}[$R])))",
              legend: "layer {{layer}} expert {{expert}}",
            },
          ],
        }),
      ],
    },
    {
      title: "Exchange",
      panels: [
        graph({
          title: "Exchange by holder, p99",
          about:
            "One worker's rows of one layer, there and back, as attention workers see it. Each step has one for each layer with experts.",
          unit: "s",
          queries: [
            {
              expr: "histogram_quantile(0.99, sum by (peer, le) (rate(drover_exchange_seconds_bucket{$F}[$R])))",
              legend: "{{peer}}",
            },
          ],
        }),
        graph({
          title: "Exchange",
          about: "With all holders.",
          unit: "s",
          queries: quantiles("drover_exchange_seconds", "$F"),
        }),
        graph({
          title: "Exchange's share of steps",
          about: "What steps wait for rows of other workers beside their own computing, of steps' time.",
          unit: "percentunit",
          queries: [
            {
              expr: 'sum by (worker) (rate(drover_step_seconds_by_part_total{$F, part="exchange"}[$R])) / sum by (worker) (rate(drover_step_seconds_by_part_total{$F}[$R]))',
              legend: "{{worker}}",
            },
          ],
        }),
        graph({
          title: "Frames by transport",
          about: "Between processes of one host frames go through memory; over gRPC where that is full, or cannot be.",
          unit: "ops",
          queries: [
            {
              expr: "sum by (transport) (rate(drover_exchange_frames_total{$F}[$R]))",
              legend: "{{transport}}",
            },
          ],
        }),
        graph({
          title: "Bytes exchanged",
          about: "Activations by direction, as attention workers see it.",
          unit: "Bps",
          queries: [
            {
              expr: "sum by (direction) (rate(drover_exchange_bytes_total{$F}[$R]))",
              legend: "{{direction}}",
            },
          ],
        }),
      ],
    },
    {
      title: "Holders",
      panels: [
        graph({
          title: "One frame's experts",
          about: "Computing the rows of one layer that came in one frame.",
          unit: "s",
          queries: quantiles("drover_expert_compute_seconds", "$W"),
        }),
        graph({
          title: "Experts in memory",
          about: "Of all layers, by worker.",
          unit: "short",
          stacked: true,
          queries: [{ expr: "sum by (worker) (drover_experts_loaded{$W})", legend: "{{worker}}" }],
        }),
        graph({
          title: "Parked",
          about: "Steps each second that choices sat out because an expert did not answer.",
          unit: "short",
          queries: [{ expr: "sum by (worker) (rate(drover_parked_choices_total{$F}[$R]))", legend: "{{worker}}" }],
        }),
      ],
    },
  ],
});

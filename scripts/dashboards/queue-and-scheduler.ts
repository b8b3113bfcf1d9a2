import { dashboard } from "./dashboard.ts";
import { figure, graph } from "./panels.ts";
import { quantiles } from "./queries.ts";
import { leaders } from "./shared-panels.ts";

/** What waits, where it goes and who decides. */
export const queueAndScheduler = dashboard({
  uid: "drover-scheduler",
  title: "Drover / Queue and scheduler",
  description: "Lanes of the queue, placements, leadership and the expert map.",
  rows: [
    {
      title: "Now",
      panels: [
        figure({
          title: "Waiting",
          about: "Requests that have no worker yet.",
          unit: "short",
          query: "sum(max by (lane) (drover_scheduler_queue_depth{$F}))",
        }),
        figure({
          title: "Oldest",
          about: "Age of the oldest waiting request.",
          unit: "s",
          query: "max(drover_scheduler_queue_oldest_age_seconds{$F})",
          limits: [
            [10, "yellow"],
            [30, "red"],
          ],
        }),
        leaders,
        figure({
          title: "Queue reachable",
          about: "1 while every scheduler can reach the queue (Redis).",
          unit: "short",
          query: "min(drover_queue_reachable{$F})",
          base: "red",
          limits: [[1, "green"]],
        }),
        figure({
          title: "Routers",
          about: "Routers that the leader tells about the cluster.",
          unit: "short",
          query: "max(drover_scheduler_routers{$F})",
          base: "red",
          limits: [[1, "green"]],
        }),
        figure({
          title: "Expert map complete",
          about: "1 when every expert has a holder.",
          unit: "short",
          query: "max(drover_scheduler_map_complete{$F})",
          base: "red",
          limits: [[1, "green"]],
        }),
      ],
    },
    {
      title: "Queue",
      panels: [
        graph({
          title: "Waiting by lane",
          about: "Short and long prompts wait apart.",
          unit: "short",
          stacked: true,
          queries: [{ expr: "max by (lane) (drover_scheduler_queue_depth{$F})", legend: "{{lane}}" }],
        }),
        graph({
          title: "Age of the oldest, and predicted wait",
          about: "What a request that is added now is predicted to wait decides whether the router takes it.",
          unit: "s",
          queries: [
            { expr: "max by (lane) (drover_scheduler_queue_oldest_age_seconds{$F})", legend: "{{lane}} oldest" },
            { expr: "max by (lane) (drover_scheduler_predicted_wait_seconds{$F})", legend: "{{lane}} predicted" },
          ],
        }),
        graph({
          title: "Time in the queue",
          about: "From the router's add to a worker's acceptance.",
          unit: "s",
          queries: quantiles("drover_scheduler_queue_seconds", "$F", ["lane"]),
        }),
      ],
    },
    {
      title: "Placement",
      panels: [
        graph({
          title: "Placements",
          about: "Requests each second that a worker accepted.",
          unit: "reqps",
          stacked: true,
          queries: [{ expr: "sum by (lane) (rate(drover_scheduler_placements_total{$F}[$R]))", legend: "{{lane}}" }],
        }),
        graph({
          title: "Refused or dropped",
          many: true,
          about: "Placements that a worker refused, by code, and jobs that left the queue without a worker, by reason.",
          unit: "reqps",
          queries: [
            {
              expr: "sum by (code) (rate(drover_scheduler_refusals_total{$F}[$R]))",
              legend: "refused: {{code}}",
            },
            {
              expr: "sum by (reason) (rate(drover_scheduler_dropped_total{$F}[$R]))",
              legend: "dropped: {{reason}}",
            },
          ],
        }),
        graph({
          title: "First token: predicted and seen",
          about: "Predicted by the scheduler from placing on; seen by routers from the request's arrival on.",
          unit: "s",
          queries: [
            {
              expr: "histogram_quantile(0.5, sum by (le) (rate(drover_scheduler_predicted_first_token_seconds_bucket{$F}[$R])))",
              legend: "predicted p50",
            },
            {
              expr: "histogram_quantile(0.5, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{$F}[$R])))",
              legend: "seen p50",
            },
          ],
        }),
      ],
    },
    {
      title: "Fleet",
      panels: [
        graph({
          title: "Workers by state",
          about: "As the leader knows them.",
          unit: "short",
          stacked: true,
          queries: [{ expr: "max by (role, state) (drover_scheduler_workers{$F}) > 0", legend: "{{role}} {{state}}" }],
        }),
        graph({
          title: "Workers that went",
          about:
            "In five minutes: disconnected (also when they end by themselves), silent for ten heartbeats, or replaced by a newer life.",
          unit: "short",
          queries: [
            {
              expr: "sum by (reason) (increase(drover_scheduler_workers_gone_total{$F}[5m]))",
              legend: "{{reason}}",
            },
          ],
        }),
        graph({
          title: "Leader",
          about: "1 where a scheduler leads.",
          unit: "short",
          max: 1,
          queries: [{ expr: "max by (instance) (drover_scheduler_leader{$F})", legend: "{{instance}}" }],
        }),
        graph({
          title: "Map changes",
          about: "How often the expert map changed in five minutes.",
          unit: "short",
          queries: [{ expr: "max(changes(drover_scheduler_map_epoch{$F}[5m]))", legend: "changes" }],
        }),
      ],
    },
  ],
});

import {
  ERROR_CODES,
  type ErrorCode,
  LANES,
  type Lane,
  type LaneDepth,
  type ModelId,
  type QueueJob,
} from "@drover/core";
import type { LaneForecast } from "@drover/fleet";
import type { Metrics } from "@drover/telemetry";
import { FleetMetrics } from "./fleet/fleet-metrics.ts";
import { DROP_REASONS, type DropReason } from "./lanes/held-job.ts";
import { LaneMetrics } from "./lanes/lane-metrics.ts";
import type { ChosenWorker } from "./lanes/placer.ts";
import { PrefixMetrics, WAIT_BUCKETS_SECONDS } from "./lanes/prefix-metrics.ts";

/** The scheduler's metrics; every label is from a closed set. */
export class SchedulerMetrics {
  readonly fleet: FleetMetrics;
  readonly #lanes: LaneMetrics;
  readonly #prefixes: PrefixMetrics;
  readonly #reachable;
  readonly #placements;
  readonly #queueSeconds;
  readonly #refusals;
  readonly #dropped;
  readonly #leader;

  constructor(metrics: Metrics, modelId: ModelId) {
    this.fleet = new FleetMetrics(metrics);
    this.#lanes = new LaneMetrics(metrics, modelId);
    this.#prefixes = new PrefixMetrics(metrics, modelId);
    this.#reachable = metrics.gauge("drover_queue_reachable", "1 while the queue and the leader's lease answer", []);
    this.#placements = metrics.counter("drover_scheduler_placements_total", "Requests that a worker accepted", [
      "lane",
    ]);
    this.#queueSeconds = metrics.histogram(
      "drover_scheduler_queue_seconds",
      "From the router's add to a worker's acceptance",
      ["lane"],
      WAIT_BUCKETS_SECONDS,
    );
    this.#refusals = metrics.counter(
      "drover_scheduler_refusals_total",
      "Placements that a worker refused or did not answer",
      ["code"],
    );
    this.#dropped = metrics.counter("drover_scheduler_dropped_total", "Jobs that left the queue without a worker", [
      "reason",
    ]);
    this.#leader = metrics.gauge("drover_scheduler_leader", "1 while this scheduler leads", []);
    this.leading(false);
    // What has not happened yet is counted as 0, so that its first time is a rise.
    for (const lane of LANES) {
      this.#placements.inc({ lane }, 0);
      this.#queueSeconds.of({ lane });
    }
    for (const code of Object.keys(ERROR_CODES)) this.#refusals.inc({ code }, 0);
    for (const reason of DROP_REASONS) this.#dropped.inc({ reason }, 0);
  }

  /** A scheduler that stands by knows of no worker and of no queue: figures of its last leadership would count twice. */
  leading(leads: boolean): void {
    this.#leader.set(leads ? 1 : 0);
    if (leads) return;
    this.fleet.reset();
    this.#lanes.reset();
  }

  queueReachable(reachable: boolean): void {
    this.#reachable.set(reachable ? 1 : 0);
  }

  /** `now` in Unix milliseconds. */
  queue(depths: readonly LaneDepth[], forecast: (lane: Lane) => LaneForecast, now: number): void {
    this.#lanes.note(depths, forecast, now);
  }

  placed({ lane, promptTokenCount }: QueueJob, chosen: ChosenWorker, waitedMs: number): void {
    this.#placements.inc({ lane });
    this.#queueSeconds.observe({ lane }, Math.max(0, waitedMs) / 1000);
    this.#prefixes.placed(promptTokenCount, chosen);
  }

  refused(code: ErrorCode): void {
    this.#refusals.inc({ code });
  }

  dropped(reason: DropReason): void {
    this.#dropped.inc({ reason });
  }
}

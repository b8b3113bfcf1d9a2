import {
  ERROR_CODES,
  type ErrorCode,
  LANES,
  type Lane,
  type LaneDepth,
  type ModelId,
  type QueueJob,
} from "@drover/core";
import { type LaneForecast, type PlacementDecision, totalMs } from "@drover/fleet";
import type { Metrics } from "@drover/telemetry";
import { FleetMetrics } from "./fleet/fleet-metrics.ts";
import { DROP_REASONS, type DropReason } from "./lanes/held-job.ts";

/** Of a prompt that is cached: nothing, then shares of it. */
const SHARE_BUCKETS = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1];
const WAIT_BUCKETS_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300];

type Chosen = Extract<PlacementDecision, { kind: "worker" }>;

/** The scheduler's metrics; every label is from a closed set. */
export class SchedulerMetrics {
  readonly fleet: FleetMetrics;
  readonly #modelName: string;
  readonly #reachable;
  readonly #depth;
  readonly #oldestAge;
  readonly #waiting;
  readonly #placements;
  readonly #queueSeconds;
  readonly #refusals;
  readonly #dropped;
  readonly #promptTokens;
  readonly #cachedTokens;
  readonly #cachedShare;
  readonly #firstTokenSeconds;
  readonly #predictedWait;
  readonly #leader;

  constructor(metrics: Metrics, modelId: ModelId) {
    this.#modelName = modelId;
    this.fleet = new FleetMetrics(metrics);
    this.#reachable = metrics.gauge("drover_queue_reachable", "1 while the queue and the leader's lease answer", []);
    this.#depth = metrics.gauge("drover_scheduler_queue_depth", "Requests that wait for a worker", ["lane"]);
    this.#oldestAge = metrics.gauge("drover_scheduler_queue_oldest_age_seconds", "Age of the oldest waiting job", [
      "lane",
    ]);
    this.#waiting = metrics.gauge("vllm:num_requests_waiting", "Requests that wait to be placed", ["model_name"]);
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
    const model = ["model_name"];
    this.#promptTokens = metrics.counter(
      "drover_scheduler_placed_prompt_tokens_total",
      "Prompt tokens of accepted placements",
      model,
    );
    this.#cachedTokens = metrics.counter(
      "drover_scheduler_predicted_cached_tokens_total",
      "Of them, those that the prefix index expected their worker to have cached",
      model,
    );
    this.#cachedShare = metrics.histogram(
      "drover_scheduler_predicted_cached_share",
      "Part of a prompt that the prefix index expected to be cached",
      model,
      SHARE_BUCKETS,
    );
    this.#firstTokenSeconds = metrics.histogram(
      "drover_scheduler_predicted_first_token_seconds",
      "From placing to the first token, as predicted",
      model,
      WAIT_BUCKETS_SECONDS,
    );
    this.#predictedWait = metrics.gauge(
      "drover_scheduler_predicted_wait_seconds",
      "What a request that is added now is predicted to wait for a worker",
      ["lane"],
    );
    this.#leader = metrics.gauge("drover_scheduler_leader", "1 while this scheduler leads", []);
    this.leading(false);
    // What has not happened yet is counted as 0, so that its first time is a rise.
    for (const lane of LANES) {
      this.#placements.inc({ lane }, 0);
      this.#queueSeconds.zero({ lane });
    }
    for (const code of Object.keys(ERROR_CODES)) this.#refusals.inc({ code }, 0);
    for (const reason of DROP_REASONS) this.#dropped.inc({ reason }, 0);
  }

  /** A scheduler that stands by knows of no worker and of no queue: figures of its last leadership would count twice. */
  leading(leads: boolean): void {
    this.#leader.set(leads ? 1 : 0);
    if (leads) return;
    this.fleet.reset();
    for (const gauge of [this.#depth, this.#oldestAge, this.#waiting, this.#predictedWait]) gauge.reset();
  }

  queueReachable(reachable: boolean): void {
    this.#reachable.set(reachable ? 1 : 0);
  }

  queue(depths: readonly LaneDepth[], forecast: (lane: Lane) => LaneForecast, now: number): void {
    let waitingCount = 0;
    for (const lane of LANES) {
      const depth = depths.find((one) => one.lane === lane);
      waitingCount += depth?.waitingCount ?? 0;
      this.#depth.set({ lane }, depth?.waitingCount ?? 0);
      this.#predictedWait.set({ lane }, forecast(lane).waitMs / 1000);
      const oldestMs = depth?.oldestEnqueuedAtMs ?? now;
      this.#oldestAge.set({ lane }, Math.max(0, now - oldestMs) / 1000);
    }
    this.#waiting.set({ model_name: this.#modelName }, waitingCount);
  }

  placed({ lane, promptTokenCount }: QueueJob, chosen: Chosen, waitedMs: number): void {
    const model = { model_name: this.#modelName };
    this.#placements.inc({ lane });
    this.#queueSeconds.observe({ lane }, Math.max(0, waitedMs) / 1000);
    this.#promptTokens.inc(model, promptTokenCount);
    this.#cachedTokens.inc(model, chosen.cachedTokenCount);
    if (promptTokenCount > 0) this.#cachedShare.observe(model, chosen.cachedTokenCount / promptTokenCount);
    const time = chosen.ranking.find(({ workerId }) => workerId === chosen.workerId)?.time;
    if (time !== undefined) this.#firstTokenSeconds.observe(model, totalMs(time) / 1000);
  }

  refused(code: ErrorCode): void {
    this.#refusals.inc({ code });
  }

  dropped(reason: DropReason): void {
    this.#dropped.inc({ reason });
  }
}

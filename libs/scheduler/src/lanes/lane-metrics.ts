import { LANES, type Lane, type LaneDepth, type ModelId } from "@drover/core";
import type { LaneForecast } from "@drover/fleet";
import type { Metrics } from "@drover/telemetry";

/** What waits in the lanes, as the leader sees it. */
export class LaneMetrics {
  readonly #modelName: string;
  readonly #depth;
  readonly #oldestAge;
  readonly #waiting;
  readonly #predictedWait;

  constructor(metrics: Metrics, modelId: ModelId) {
    this.#modelName = modelId;
    this.#depth = metrics.gauge("drover_scheduler_queue_depth", "Requests that wait for a worker", ["lane"]);
    this.#oldestAge = metrics.gauge("drover_scheduler_queue_oldest_age_seconds", "Age of the oldest waiting job", [
      "lane",
    ]);
    this.#waiting = metrics.gauge("vllm:num_requests_waiting", "Requests that wait to be placed", ["model_name"]);
    this.#predictedWait = metrics.gauge(
      "drover_scheduler_predicted_wait_seconds",
      "What a request that is added now is predicted to wait for a worker",
      ["lane"],
    );
  }

  /** `now` in Unix milliseconds. A lane that no depth names is empty. */
  note(depths: readonly LaneDepth[], forecast: (lane: Lane) => LaneForecast, now: number): void {
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

  /** Nothing is known any more. */
  reset(): void {
    for (const gauge of [this.#depth, this.#oldestAge, this.#waiting, this.#predictedWait]) gauge.reset();
  }
}

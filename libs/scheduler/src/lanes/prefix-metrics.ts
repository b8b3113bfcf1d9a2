import type { ModelId } from "@drover/core";
import { totalMs } from "@drover/fleet";
import type { Metrics } from "@drover/telemetry";
import type { ChosenWorker } from "./placer.ts";

/** Of a prompt that is cached: nothing, then shares of it. */
const SHARE_BUCKETS = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1];
/** Up to a week: a request of the longest context may wait for days before its deadline. */
export const WAIT_BUCKETS_SECONDS = [
  ...[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300],
  ...[600, 1200, 3600, 14_400, 57_600, 604_800],
];

/** What was predicted of accepted placements: how much of their prompts is cached, and when their first token comes. */
export class PrefixMetrics {
  readonly #model: Readonly<{ model_name: string }>;
  readonly #promptTokens;
  readonly #cachedTokens;
  readonly #cachedShare;
  readonly #firstTokenSeconds;

  constructor(metrics: Metrics, modelId: ModelId) {
    this.#model = { model_name: modelId };
    const labels = ["model_name"];
    this.#promptTokens = metrics.counter(
      "drover_scheduler_placed_prompt_tokens_total",
      "Prompt tokens of accepted placements",
      labels,
    );
    this.#cachedTokens = metrics.counter(
      "drover_scheduler_predicted_cached_tokens_total",
      "Of them, those that the prefix index expected their worker to have cached",
      labels,
    );
    this.#cachedShare = metrics.histogram(
      "drover_scheduler_predicted_cached_share",
      "Part of a prompt that the prefix index expected to be cached",
      labels,
      SHARE_BUCKETS,
    );
    this.#firstTokenSeconds = metrics.histogram(
      "drover_scheduler_predicted_first_token_seconds",
      "From placing to the first token, as predicted",
      labels,
      WAIT_BUCKETS_SECONDS,
    );
  }

  placed(promptTokenCount: number, chosen: ChosenWorker): void {
    this.#promptTokens.inc(this.#model, promptTokenCount);
    this.#cachedTokens.inc(this.#model, chosen.cachedTokenCount);
    if (promptTokenCount > 0) this.#cachedShare.observe(this.#model, chosen.cachedTokenCount / promptTokenCount);
    this.#firstTokenSeconds.observe(this.#model, totalMs(chosen.candidate.time) / 1000);
  }
}

import type { Logger } from "@drover/core";
import type { EngineObserver, StepFacts } from "@drover/engine";
import type { PrefixCounts } from "@drover/fleet";
import type { Metrics } from "@drover/telemetry";

/** Counts since the worker started: `prefix` those of requests that got KV, `generatedTokenCount` tokens, `computedMs` what steps took but for the exchange. */
export type EngineMetrics = Readonly<{
  observer: EngineObserver;
  counts: () => Readonly<{ prefix: PrefixCounts; generatedTokenCount: number; computedMs: number }>;
}>;

const RATIO_BUCKETS = [0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4];
const STEP_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1];

/** A step that takes longer is told of: others wait for its end. */
const SLOW_STEP_MS = 500;

/** Choices that wait so long for other workers' answers are told of, once they go on. */
const LONG_PARKED_MS = 100;

/** Counts what the decode loop does, and tells of slow steps and of requests that go on here. What has not happened yet is counted as 0 from here on, so that a first time is a rise. */
export function engineMetrics(metrics: Metrics, modelName: string, logger: Logger): EngineMetrics {
  const model = { model_name: modelName };
  const counter = (name: string, help: string) => metrics.tally(metrics.counter(name, help, ["model_name"]), model);
  const promptTokens = counter("vllm:prompt_tokens_total", "Prompt tokens computed");
  const generatedTokens = counter("vllm:generation_tokens_total", "Tokens generated");
  const preemptions = counter("vllm:num_preemptions_total", "Sequences whose KV was given up and is computed again");
  const prefixQueries = counter("vllm:prefix_cache_queries_total", "Prompt tokens of requests that got KV");
  const prefixHits = counter("vllm:prefix_cache_hits_total", "Prompt tokens of them that were cached");
  const parked = counter("drover_parked_choices_total", "Steps of choices that an expert did not answer in time");
  const prefix = { promptTokenCount: 0, cachedTokenCount: 0 };
  let generatedTokenCount = 0;
  let computedMs = 0;
  const observeStep = stepMetrics(metrics, modelName);
  const observer: EngineObserver = {
    stepEnded: (step) => {
      computedMs += step.computeMs;
      observeStep(step);
      if (step.measuredMs > SLOW_STEP_MS) logger.info("step.slow", slowStep(step));
    },
    tokensComputed: (prompt, generated) => {
      promptTokens.add(prompt);
      generatedTokens.add(generated);
      generatedTokenCount += generated;
    },
    preempted: () => preemptions.add(1),
    prefixFound: (prompt, cached) => {
      prefix.promptTokenCount += prompt;
      prefix.cachedTokenCount += cached;
      prefixQueries.add(prompt);
      prefixHits.add(cached);
    },
    parked: (count) => parked.add(count),
    unparked: (choices, longestMs) => {
      if (longestMs >= LONG_PARKED_MS) logger.info("choices.unparked", { choices, longest_ms: Math.round(longestMs) });
    },
    resumed: (request, attempt, { knownCount, cachedCount }) =>
      logger.info("request.resumed", { request, attempt, known_tokens: knownCount, cached_tokens: cachedCount }),
  };
  return { observer, counts: () => ({ prefix, generatedTokenCount, computedMs }) };
}

/** Where a step's time went, milliseconds: what is neither computed nor waited for is the thread's that was busy otherwise. */
function slowStep({ rowCount, decodeCount, measuredMs, predictedMs, totalMs, computeMs, exchangeMs }: StepFacts) {
  return {
    ...{ rows: rowCount, decode_rows: decodeCount, measured_ms: Math.round(measuredMs), total_ms: Math.round(totalMs) },
    predicted_ms: Math.round(predictedMs),
    compute_ms: Math.round(computeMs),
    exchange_ms: Math.round(exchangeMs),
  };
}

/** Where the time of steps goes, and how well it was predicted. */
function stepMetrics(metrics: Metrics, modelName: string): EngineObserver["stepEnded"] {
  const model = { model_name: modelName };
  const labels = ["model_name"] as const;
  const tally = (name: string, help: string) => metrics.tally(metrics.counter(name, help, labels), model);
  const steps = metrics.histogram("drover_step_seconds", "Length of a step", labels, STEP_BUCKETS).of(model);
  const predicted = tally("drover_step_predicted_seconds_total", "Predicted length of the steps");
  const measured = tally("drover_step_measured_seconds_total", "Length of the same steps");
  const ratio = metrics
    .histogram("drover_step_ratio", "Measured length of a step by its predicted one", labels, RATIO_BUCKETS)
    .of(model);
  const share = metrics.counter("drover_step_seconds_by_part_total", "Where steps' time went", [...labels, "part"]);
  const part = (name: string) => metrics.tally(share, { ...model, part: name });
  const [sessions, exchange, other] = [part("sessions"), part("exchange"), part("other")];
  const rows = tally("drover_step_rows_total", "Rows computed");
  return ({ rowCount, totalMs, computeMs, exchangeMs, predictedMs, measuredMs }) => {
    predicted.add(predictedMs / 1000);
    measured.add(measuredMs / 1000);
    ratio.observe(measuredMs / predictedMs);
    steps.observe(totalMs / 1000);
    rows.add(rowCount);
    sessions.add(computeMs / 1000);
    exchange.add(exchangeMs / 1000);
    other.add(Math.max(0, totalMs - computeMs - exchangeMs) / 1000);
  };
}

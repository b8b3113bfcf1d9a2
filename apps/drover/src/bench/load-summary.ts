import { FAILURE_REASONS_MAX } from "../limits.ts";
import type { Sample } from "./load-target.ts";
import { firstTokenMs, isGood, type ServiceLevel, tokenMs } from "./service-level.ts";

/** Of some times in milliseconds; NaN where there were none. */
export type Spread = Readonly<{ mean: number; p50: number; p90: number; p99: number; max: number }>;

/** One level of one server. Rates are of whole answers, over the time from the first beginning to the last end. */
export type LoadSummary = Readonly<{
  requests: number;
  failed: number;
  failures: readonly Readonly<{ reason: string; count: number }>[];
  seconds: number;
  promptTokens: number;
  outputTokens: number;
  requestsPerSecond: number;
  outputTokensPerSecond: number;
  /** To the first token, for each token behind it, between pieces of an answer, and in all. */
  ttft: Spread;
  tpot: Spread;
  itl: Spread;
  e2e: Spread;
  /** The share of all requests that were answered within the service level, and how many of them a second. */
  good: number;
  goodPerSecond: number;
}>;

export function summarize(samples: readonly Sample[], level: ServiceLevel): LoadSummary {
  const whole = samples.filter(({ error }) => error === undefined);
  const begin = Math.min(...samples.map(({ beginMs }) => beginMs));
  const seconds = (Math.max(...samples.map(({ endMs }) => endMs)) - begin) / 1000;
  const outputTokens = sum(whole.map((sample) => sample.outputTokens));
  const goodCount = whole.filter((sample) => isGood(sample, level)).length;
  const defined = (ms: number | undefined) => (ms === undefined ? [] : [ms]);
  return {
    requests: samples.length,
    failed: samples.length - whole.length,
    failures: failuresOf(samples),
    seconds,
    promptTokens: sum(whole.map(({ promptTokens }) => promptTokens)),
    outputTokens,
    requestsPerSecond: whole.length / seconds,
    outputTokensPerSecond: outputTokens / seconds,
    ttft: spread(whole.flatMap((sample) => defined(firstTokenMs(sample)))),
    tpot: spread(whole.flatMap((sample) => defined(tokenMs(sample)))),
    itl: spread(whole.flatMap(({ pieceMs }) => pieceMs.slice(1).map((ms, i) => ms - (pieceMs[i] ?? ms)))),
    e2e: spread(whole.map(({ beginMs, endMs }) => endMs - beginMs)),
    good: goodCount / samples.length,
    goodPerSecond: goodCount / seconds,
  };
}

/** Percentiles are the least number that so many are at most. */
export function spread(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { mean: sum(values) / values.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

/** The middle of some rounds, number by number; reasons of failures are those of all. */
export function middleOf(rounds: readonly LoadSummary[]): LoadSummary {
  const pick = (of: (summary: LoadSummary) => number) => spread(rounds.map(of)).p50;
  const spreads = (of: (summary: LoadSummary) => Spread): Spread => ({
    mean: pick((summary) => of(summary).mean),
    p50: pick((summary) => of(summary).p50),
    p90: pick((summary) => of(summary).p90),
    p99: pick((summary) => of(summary).p99),
    max: Math.max(...rounds.map((summary) => of(summary).max)),
  });
  return {
    requests: sum(rounds.map(({ requests }) => requests)),
    failed: sum(rounds.map(({ failed }) => failed)),
    failures: rounds.flatMap(({ failures }) => failures).slice(0, FAILURE_REASONS_MAX),
    seconds: pick(({ seconds }) => seconds),
    promptTokens: pick(({ promptTokens }) => promptTokens),
    outputTokens: pick(({ outputTokens }) => outputTokens),
    requestsPerSecond: pick(({ requestsPerSecond }) => requestsPerSecond),
    outputTokensPerSecond: pick(({ outputTokensPerSecond }) => outputTokensPerSecond),
    ttft: spreads(({ ttft }) => ttft),
    tpot: spreads(({ tpot }) => tpot),
    itl: spreads(({ itl }) => itl),
    e2e: spreads(({ e2e }) => e2e),
    good: pick(({ good }) => good),
    goodPerSecond: pick(({ goodPerSecond }) => goodPerSecond),
  };
}

function failuresOf(samples: readonly Sample[]): { reason: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { error } of samples) if (error !== undefined) counts.set(error, (counts.get(error) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => ({ reason, count }))
    .sort((a, b) => b.count - a.count)
    .slice(0, FAILURE_REASONS_MAX);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

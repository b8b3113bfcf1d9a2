import type { SamplingParams } from "@drover/core";
import type { LimitStep } from "../step.ts";
import { temperature } from "../steps/temperature.ts";
import { sampleInput } from "./sample-input.ts";

/** Tokens of a row with their shares, likeliest first, lower ids first among equals. */
export function ranked(row: readonly number[], params: Partial<SamplingParams>): { id: number; share: number }[] {
  const weights = candidatesOf(row, params).weights();
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const scores = Float32Array.from(row);
  return [...weights]
    .map((weight, id) => ({ id, share: weight / total }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => (scores[b.id] ?? 0) - (scores[a.id] ?? 0) || a.id - b.id);
}

/** The tokens, ascending, that steps leave of a row. */
export function keptTokens(row: readonly number[], params: Partial<SamplingParams>, ...steps: LimitStep[]): number[] {
  const candidates = candidatesOf(row, params);
  for (const step of steps) step.apply(candidates, sampleInput({ params }).params);
  return [...candidates.weights()].flatMap((weight, id) => (weight > 0 ? [id] : []));
}

function candidatesOf(row: readonly number[], params: Partial<SamplingParams>) {
  const scores = Float32Array.from(row);
  return temperature.apply(scores, Math.max(...scores), sampleInput({ params }).params);
}

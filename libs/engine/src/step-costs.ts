import { aloneMs, STEP_MS_MAX, type StepCost } from "@drover/batching";
import type { StepCosts } from "@drover/core";
import type { Choice } from "./choice.ts";

export type StepCostsOptions = Readonly<{ stepMs: number; prefillRowsMax: number }>;

/** Sums up the cost for those who place requests: they know lengths, not steps. */
export function stepCosts(cost: StepCost, choices: readonly Choice[], options: StepCostsOptions): StepCosts {
  if (!cost.isMeasured) return { promptRowMs: 0, contextTokenMs: 0, decodeMs: 0, decodeRowMs: 0, stepMsMax: 0 };
  const decoding = choices
    .filter(({ isDecoding }) => isDecoding)
    .map(({ computedCount, pendingTokenCount }) => ({ position: computedCount, rowCount: pendingTokenCount }));
  const decodeMs = decoding.length === 0 ? 0 : cost.stepMs(decoding);
  const stepMsMax = decoding.length === 0 ? aloneMs(cost, options.stepMs) : Math.min(options.stepMs, STEP_MS_MAX);
  const rowsAt = (position: number) => {
    const stepRows = Math.max(1, cost.rowsWithin(position, stepMsMax - cost.emptyMs, options.prefillRowsMax));
    return (cost.emptyMs + cost.entryMs({ position, rowCount: stepRows })) / stepRows;
  };
  const promptRowMs = rowsAt(0);
  return {
    promptRowMs,
    contextTokenMs: Math.max(0, (rowsAt(FAR_TOKENS) - promptRowMs) / FAR_TOKENS),
    decodeMs,
    decodeRowMs: cost.entryMs({ position: 0, rowCount: 1 }),
    stepMsMax,
  };
}

/** Where the slope of a prompt row's cost over its context is taken. */
const FAR_TOKENS = 8192;

/** Milliseconds of prompt rows that each prompt still needs, ascending. */
export function waitingPromptMs(cost: StepCost, choices: readonly Choice[], stepRows: number): number[] {
  return choices
    .filter(({ isDecoding }) => !isDecoding)
    .map(({ computedCount, tokens }) => cost.prefillMs(computedCount, tokens.length, stepRows))
    .sort((a, b) => a - b);
}

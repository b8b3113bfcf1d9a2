import type { StepCosts } from "@drover/core";
import { UNMEASURED_COSTS } from "../limits.ts";

/** What a worker has to do before and beside a new prompt. */
export type PromptLoad = Readonly<{
  costs: StepCosts;
  runningCount: number;
  waitingCount: number;
  waitingTokenCount: number;
  /** Milliseconds that each accepted prompt still needs, ascending; of very many, the last one holds all the others. */
  pendingPromptMs: readonly number[];
  /** Milliseconds of the prompts that were placed and that the worker's status does not show yet, in any order. */
  reservedPromptMs: readonly number[];
}>;

/** Predicted milliseconds from placing a request to its first token, by where they go. */
export type FirstTokenTime = Readonly<{
  /** Prompts before it. */
  queueMs: number;
  /** Its own prompt without what is cached. */
  prefillMs: number;
  /** What decoding beside it takes of the steps until then. */
  loadMs: number;
}>;

export const totalMs = ({ queueMs, prefillMs, loadMs }: FirstTokenTime): number => queueMs + prefillMs + loadMs;

/** Decoding never takes more than this part of a step's time from prompts. */
const DECODE_SHARE_MAX = 0.75;

/** The worker's own costs, or a guess where it has measured nothing. */
const knownCosts = (costs: StepCosts): StepCosts => (costs.promptRowMs > 0 ? costs : UNMEASURED_COSTS);

/** Whether a prompt that takes longer than `longMs` by itself is before a new one. */
export function hasLongPrompt({ pendingPromptMs, reservedPromptMs }: PromptLoad, longMs: number): boolean {
  return [...pendingPromptMs.slice(-1), ...reservedPromptMs].some((ms) => ms > longMs);
}

/** Prompt rows [from, to) of one sequence. */
export function prefillMs({ promptRowMs, contextTokenMs }: StepCosts, from: number, to: number): number {
  return (to - from) * promptRowMs + ((to * to - from * from) / 2) * contextTokenMs;
}

/**
 * Predicts when a prompt of `promptTokenCount` tokens, `cachedTokenCount` of them cached, has its first token. Workers serve the prompt with
 * the least left first, and give the others a part: so each prompt that is there delays the new one by no more than the new one's own need.
 * `cachedInMs`: when what is cached will be; until then it waits.
 */
export function firstTokenTime(
  load: PromptLoad,
  promptTokenCount: number,
  cachedTokenCount: number,
  cachedInMs = 0,
): FirstTokenTime {
  const costs = knownCosts(load.costs);
  const ownMs = prefillMs(costs, Math.min(cachedTokenCount, promptTokenCount - 1), promptTokenCount);
  const queueMs = Math.max(cachedInMs, aheadMs(load, costs, ownMs));
  const decodeMs = costs === load.costs ? costs.decodeMs : load.runningCount * costs.decodeRowMs;
  const share = Math.min(DECODE_SHARE_MAX, costs.stepMsMax > 0 ? decodeMs / costs.stepMsMax : 0);
  // One step's decoding at least: the prompt's last row is in a step with it.
  const loadMs = decodeMs + (queueMs + ownMs) * (share / (1 - share));
  return { queueMs, prefillMs: ownMs, loadMs };
}

function aheadMs(load: PromptLoad, costs: StepCosts, ownMs: number): number {
  const { pendingPromptMs, reservedPromptMs, waitingCount, waitingTokenCount } = load;
  let ahead = 0;
  for (const ms of reservedPromptMs) ahead += Math.min(ms, ownMs);
  if (pendingPromptMs.length === 0 && waitingCount > 0) {
    const each = (waitingTokenCount / waitingCount) * costs.promptRowMs;
    return ahead + waitingCount * Math.min(each, ownMs);
  }
  for (const ms of pendingPromptMs) ahead += Math.min(ms, ownMs);
  return ahead;
}

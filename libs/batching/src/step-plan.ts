import { type Candidate, type PlannedRows, rowsOf } from "./candidate.ts";
import { BURST_STRETCH, DECODE_STRETCH, PROMPT_SHARE_MIN, STEP_MS_ALONE, STEP_MS_MAX } from "./limits.ts";
import type { PromptBudget } from "./prompt-shares.ts";
import type { StepCost } from "./step-cost.ts";
import { tenantShares } from "./tenant-shares.ts";

export type StepBudget = Readonly<{
  /** The step that is planned; rises by one with each. */
  step: number;
  /** What a step should take while others decode, milliseconds. */
  stepMs: number;
  /** Prompt rows in one step, over all prompts: the cap of what milliseconds allow. */
  prefillRowsMax: number;
  /** Rows of decoding sequences in one step. */
  decodeRowsMax: number;
}>;

/**
 * Chooses the rows of one step. Decoding sequences all get theirs, as far as the hard bound allows; prompts share what is left of the budget
 * of milliseconds, and always some of it: the shortest first, with a part for one that later requests pass, which may save it up for a while. Nobody is passed over for
 * ever.
 */
export function planStep<T extends Candidate>(
  candidates: readonly T[],
  cost: StepCost,
  budget: StepBudget,
): readonly PlannedRows<T>[] {
  const decoding = decodeRows(candidates, cost, budget);
  const prompts = candidates.filter(({ isDecoding }) => !isDecoding);
  if (prompts.length === 0) return decoding;
  const rowsMax = Math.min(budget.prefillRowsMax, cost.rowsTrusted);
  const promptsMay = { ...promptBudget(decoding, cost, budget), rowsMax };
  return [...decoding, ...tenantShares(prompts, cost, promptsMay, budget.step)];
}

/** Sequences that decode in this step: all, unless they are too many or too deep; then one of each request goes before another's second, the longest waiting first. */
function decodeRows<T extends Candidate>(
  candidates: readonly T[],
  cost: StepCost,
  { decodeRowsMax }: StepBudget,
): readonly PlannedRows<T>[] {
  const chosen: PlannedRows<T>[] = [];
  let ms = cost.emptyMs;
  let rowCount = 0;
  for (const candidate of byTurns(candidates.filter(({ isDecoding }) => isDecoding))) {
    const rows = rowsOf(candidate, candidate.pendingTokenCount);
    ms += cost.entryMs(rows);
    rowCount += rows.rowCount;
    const isFull = rowCount > decodeRowsMax || ms > STEP_MS_MAX;
    if (isFull && chosen.length > 0) break;
    chosen.push(rows);
  }
  return chosen;
}

function byTurns<T extends Candidate>(candidates: readonly T[]): T[] {
  const byAge = [...candidates].sort((a, b) => a.lastStep - b.lastStep || a.id - b.id);
  const served = new Map<number, number>();
  const ranked = byAge.map((candidate) => {
    const rank = served.get(candidate.requestOrder) ?? 0;
    served.set(candidate.requestOrder, rank + 1);
    return { candidate, rank };
  });
  return ranked.sort((a, b) => a.rank - b.rank).map(({ candidate }) => candidate);
}

/** What prompts may add to a step in which these decode. */
function promptBudget(
  decoding: readonly PlannedRows<Candidate>[],
  cost: StepCost,
  { stepMs }: StepBudget,
): Omit<PromptBudget, "rowsMax"> {
  if (decoding.length === 0) {
    const ms = Math.min(Math.max(stepMs, STEP_MS_ALONE), STEP_MS_MAX) - cost.emptyMs;
    return { ms, burstMs: ms, required: true };
  }
  const decodeMs = cost.stepMs(decoding);
  const whole = Math.min(Math.max(stepMs, DECODE_STRETCH * decodeMs), STEP_MS_MAX);
  const ms = Math.max(whole - decodeMs, whole * PROMPT_SHARE_MIN);
  return { ms, burstMs: Math.max(ms, Math.min(BURST_STRETCH * whole, STEP_MS_MAX) - decodeMs), required: false };
}

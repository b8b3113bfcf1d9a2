import type { Candidate, PlannedRows } from "./candidate.ts";
import { NEW_PROMPTS_TURN } from "./limits.ts";
import type { PromptBudget } from "./prompt-shares.ts";
import type { StepCost } from "./step-cost.ts";
import { tenantShares } from "./tenant-shares.ts";

/**
 * A step's prompts, those first for which a client waits that has tokens already: they share the step, and the others what is left of it. Every fourth step is for the
 * new ones first, so that they get on however many are resumed. `prompts`: one or more.
 */
export function resumedFirst<T extends Candidate>(
  prompts: readonly T[],
  cost: StepCost,
  budget: PromptBudget,
  step: number,
): readonly PlannedRows<T>[] {
  const areFirst = step % NEW_PROMPTS_TURN !== 0;
  const preferred = prompts.filter(({ isResumed = false }) => isResumed === areFirst);
  const others = prompts.filter(({ isResumed = false }) => isResumed !== areFirst);
  if (preferred.length === 0 || others.length === 0) return tenantShares(prompts, cost, budget, step);
  const first = tenantShares(preferred, cost, budget, step);
  let { ms, burstMs, rowsMax, rowsBefore = 0 } = budget;
  for (const rows of first) {
    const tookMs = cost.entryMs(rows, rowsBefore);
    ms -= tookMs;
    burstMs -= tookMs;
    rowsMax -= rows.rowCount;
    rowsBefore += rows.rowCount;
  }
  if (ms <= 0 || rowsMax <= 0) return first;
  const left = { ms, burstMs, rowsMax, rowsBefore, required: budget.required && first.length === 0 };
  return [...first, ...tenantShares(others, cost, left, step)];
}

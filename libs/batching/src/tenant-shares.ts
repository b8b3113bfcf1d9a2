import type { Candidate, PlannedRows } from "./candidate.ts";
import { type PromptBudget, PromptShares } from "./prompt-shares.ts";
import type { StepCost } from "./step-cost.ts";

type TenantPrompts<T> = Readonly<{ prompts: readonly T[]; weight: number; pendingTokenCount: number }>;

/**
 * A step's prompts, first shared among tenants by their weights and then within each as `PromptShares` does. Who needs less than its part leaves the
 * rest to those that need more: max-min fairness. `prompts`: one or more.
 */
export function tenantShares<T extends Candidate>(
  prompts: readonly T[],
  cost: StepCost,
  budget: PromptBudget,
  step: number,
): readonly PlannedRows<T>[] {
  const tenants = byTenant(prompts);
  if (tenants.length === 1) return new PromptShares(prompts, cost, budget, step).rows();
  const planned: PlannedRows<T>[] = [];
  let { ms, rowsMax, rowsBefore = 0 } = budget;
  let weights = tenants.reduce((sum, { weight }) => sum + weight, 0);
  for (const { prompts: mine, weight } of tenants) {
    const part = weight / weights;
    const share = {
      ms: ms * part,
      burstMs: budget.burstMs,
      rowsMax: Math.max(1, Math.floor(rowsMax * part)),
      rowsBefore,
      required: budget.required && planned.length === 0,
    };
    for (const rows of ms > 0 && rowsMax > 0 ? new PromptShares(mine, cost, share, step).rows() : []) {
      planned.push(rows);
      ms -= cost.entryMs(rows, rowsBefore);
      rowsMax -= rows.rowCount;
      rowsBefore += rows.rowCount;
    }
    weights -= weight;
  }
  return planned;
}

/** Those that need least for their weight first. */
function byTenant<T extends Candidate>(prompts: readonly T[]): readonly TenantPrompts<T>[] {
  return [...Map.groupBy(prompts, ({ tenant }) => tenant?.name ?? "").values()]
    .map((mine) => ({
      prompts: mine,
      weight: Math.max(...mine.map(({ tenant }) => tenant?.weight ?? 1)),
      pendingTokenCount: mine.reduce((sum, { pendingTokenCount }) => sum + pendingTokenCount, 0),
    }))
    .sort((a, b) => a.pendingTokenCount / a.weight - b.pendingTokenCount / b.weight);
}

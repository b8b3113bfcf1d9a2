import type { Candidate, PlannedEntry } from "./candidate.ts";
import { BATCHING_LIMITS } from "./limits.ts";
import { type PromptBudget, PromptShares } from "./prompt-shares.ts";
import type { StepCost } from "./step-cost.ts";

export type StepBudget = Readonly<{
  /** The step that is planned; rises by one with each. */
  step: number;
  /** What a step should take while others decode, milliseconds. */
  stepMs: number;
  /** Prompt rows in one step, over all prompts: the cap of what milliseconds allow. */
  prefillRowsMax: number;
  /** Sequences that decode in one step. */
  decodeRowsMax: number;
}>;

export type StepPlan = Readonly<{ entries: readonly PlannedEntry[]; predictedMs: number }>;

/**
 * Chooses the rows of one step. Decoding sequences all get theirs, as far as the hard bound allows; prompts share what is left of the budget
 * of milliseconds, and always some of it: the shortest first, with a part for the request that was served longest ago, which may save it up for a while. Nobody is passed
 * over for ever.
 */
export function planStep(candidates: readonly Candidate[], cost: StepCost, budget: StepBudget): StepPlan {
  const decoding = decodeRows(candidates, cost, budget);
  const prompts = candidates.filter((c) => c.pendingTokenCount > 1);
  const entries: PlannedEntry[] = decoding.map(({ id }) => ({ id, rowCount: 1 }));
  if (prompts.length > 0) {
    const rowsMax = Math.min(budget.prefillRowsMax, cost.rowsTrusted);
    const shares = new PromptShares(prompts, cost, { ...promptBudget(decoding, cost, budget), rowsMax }, budget.step);
    entries.push(...shares.entries());
  }
  const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]));
  const shapes = entries.map(({ id, rowCount }) => ({ position: byId.get(id)?.position ?? 0, rowCount }));
  return { entries, predictedMs: cost.stepMs(shapes) };
}

/** Sequences that decode in this step: all, unless they are too many or too deep; then one of each request goes before another's second, the longest waiting first. */
function decodeRows(candidates: readonly Candidate[], cost: StepCost, budget: StepBudget): Candidate[] {
  const chosen: Candidate[] = [];
  let ms = cost.emptyMs;
  for (const candidate of byTurns(candidates.filter((c) => c.pendingTokenCount === 1))) {
    ms += cost.entryMs({ position: candidate.position, rowCount: 1 });
    const full = chosen.length === budget.decodeRowsMax || ms > BATCHING_LIMITS.stepMsMax;
    if (full && chosen.length > 0) break;
    chosen.push(candidate);
  }
  return chosen;
}

function byTurns(candidates: readonly Candidate[]): Candidate[] {
  const byAge = [...candidates].sort((a, b) => a.lastStep - b.lastStep || a.id - b.id);
  const served = new Map<number, number>();
  const ranks = new Map<number, number>();
  for (const { id, request } of byAge) {
    const rank = served.get(request) ?? 0;
    ranks.set(id, rank);
    served.set(request, rank + 1);
  }
  return byAge.sort((a, b) => (ranks.get(a.id) ?? 0) - (ranks.get(b.id) ?? 0));
}

/** What prompts may add to a step in which these decode. */
function promptBudget(
  decoding: readonly Candidate[],
  cost: StepCost,
  { stepMs }: StepBudget,
): Omit<PromptBudget, "rowsMax"> {
  const { stepMsAlone, stepMsMax, decodeStretch, promptShareMin, burstStretch } = BATCHING_LIMITS;
  if (decoding.length === 0) {
    const ms = Math.min(Math.max(stepMs, stepMsAlone), stepMsMax) - cost.emptyMs;
    return { ms, burstMs: ms, required: true };
  }
  const decodeMs = cost.stepMs(decoding.map(({ position }) => ({ position, rowCount: 1 })));
  const whole = Math.min(Math.max(stepMs, decodeStretch * decodeMs), stepMsMax);
  const ms = Math.max(whole - decodeMs, whole * promptShareMin);
  return { ms, burstMs: Math.max(ms, Math.min(burstStretch * whole, stepMsMax) - decodeMs), required: false };
}

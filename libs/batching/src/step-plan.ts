/** One sequence as the step's plan sees it. */
export type Candidate = Readonly<{
  id: number;
  /** Tokens not computed yet: 1 when decoding, more while its prompt is prefilled. */
  pendingTokenCount: number;
  /** The last step that served it; the least recently served prompt goes first. */
  lastStep: number;
}>;

export type StepLimits = Readonly<{
  /** Prompt rows in one step, over all prompts. */
  prefillRowsMax: number;
  /** Sequences that decode in one step. */
  decodeRowsMax: number;
}>;

export type PlannedEntry = Readonly<{ id: number; rowCount: number }>;

/**
 * Chooses the rows of one step. Decoding sequences all get their row, so a long prompt never stops them; prompts share the prefill budget,
 * the least recently served first, each at most half of what is left while others wait, so that a short prompt passes beside a long one.
 */
export function planStep(candidates: readonly Candidate[], limits: StepLimits): PlannedEntry[] {
  const byAge = [...candidates].sort((a, b) => a.lastStep - b.lastStep || a.id - b.id);
  const plan: PlannedEntry[] = [];
  for (const { id, pendingTokenCount } of byAge) {
    if (pendingTokenCount === 1 && plan.length < limits.decodeRowsMax) plan.push({ id, rowCount: 1 });
  }
  let left = limits.prefillRowsMax;
  const prompts = byAge.filter((c) => c.pendingTokenCount > 1);
  for (const [i, { id, pendingTokenCount }] of prompts.entries()) {
    if (left === 0) break;
    const share = i < prompts.length - 1 ? Math.max(1, Math.ceil(left / 2)) : left;
    const rowCount = Math.min(pendingTokenCount, share);
    plan.push({ id, rowCount });
    left -= rowCount;
  }
  return plan;
}

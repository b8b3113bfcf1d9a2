import { type Candidate, type PlannedRows, rowsOf } from "./candidate.ts";
import {
  BURST_STRETCH,
  DECODE_STRETCH,
  PROMPT_SHARE_MIN,
  SHARED_EMPTY_PART,
  STEP_MS_ALONE,
  STEP_MS_EFFICIENT,
  STEP_MS_MAX,
  STEP_MS_SHARED,
  WAITING_STRETCH,
} from "./limits.ts";
import { type PromptBudget, PromptShares } from "./prompt-shares.ts";
import type { StepCost } from "./step-cost.ts";
import type { TenantService } from "./tenant-service.ts";
import { tenantShares } from "./tenant-shares.ts";
import { tenantTurn } from "./tenant-turn.ts";

export type StepBudget = Readonly<{
  /** The step that is planned; rises by one with each. */
  step: number;
  /** What a step should take while others decode, milliseconds. */
  stepMs: number;
  /** Prompt rows in one step, over all prompts: the cap of what milliseconds allow. */
  prefillRowsMax: number;
  /** Rows of decoding sequences in one step. */
  decodeRowsMax: number;
  /** What tenants have had of the steps before, which is told who asks now; nobody is told apart without. */
  service?: TenantService;
}>;

/**
 * Chooses the rows of one step. A tenant that had less than its part has its turn where it needs one (`tenantTurn`). Else decoding sequences all get theirs, as far as the hard bound allows; prompts share what is left of the budget
 * of milliseconds, and always some of it: the urgent first, and of equals the shortest, with a part for one that later requests pass, which may save it up for a while. Nobody is passed over for
 * ever.
 */
export function planStep<T extends Candidate>(
  candidates: readonly T[],
  cost: StepCost,
  budget: StepBudget,
): readonly PlannedRows<T>[] {
  const rowsMax = Math.min(budget.prefillRowsMax, cost.rowsTrusted);
  budget.service?.asks(candidates);
  const turn = turnRows(candidates, cost, budget, rowsMax);
  if (turn !== undefined) return turn;
  const isShared = budget.service?.isSharedBy(candidates) === true;
  const decoding = decodeRows(candidates, cost, { ...budget, isShared });
  const prompts = candidates.filter(({ isDecoding }) => !isDecoding);
  if (prompts.length === 0) return decoding;
  const promptsMay = {
    ...promptBudget(decoding, cost, { ...budget, isShared }, prompts),
    rowsMax,
    rowsBefore: rowCountOf(decoding),
  };
  return [...decoding, ...tenantShares(prompts, cost, promptsMay, budget.step)];
}

/** The step of a tenant's turn; undefined where nobody has one. With others that have had as little it shares as ever, else the step is as long as it needs. */
function turnRows<T extends Candidate>(
  candidates: readonly T[],
  cost: StepCost,
  budget: StepBudget,
  rowsMax: number,
): readonly PlannedRows<T>[] | undefined {
  const { service, step } = budget;
  const turn = service && tenantTurn(candidates, cost, service, { step, rowsMax });
  if (turn === undefined) return undefined;
  const shared = { ...budget, isShared: true };
  const decoding = decodeRows(
    candidates.filter((one) => !turn.passed.has(one)),
    cost,
    shared,
  );
  const ms = STEP_MS_ALONE - cost.stepMs(decoding);
  const promptsMay = turn.hasOthers
    ? promptBudget(decoding, cost, shared, turn.prompts)
    : { ms, burstMs: ms, required: true };
  const rowsBefore = rowCountOf(decoding);
  const prompts = new PromptShares(turn.prompts, cost, { ...promptsMay, rowsMax, rowsBefore }, step).rows();
  return prompts.length === 0 ? undefined : [...decoding, ...prompts];
}

/** With whether more than one tenant asks. */
type SharedBudget = StepBudget & Readonly<{ isShared: boolean }>;

/** Sequences that decode in this step: all, unless they are too many or too deep; then one of each request goes before another's second, the longest waiting first. */
function decodeRows<T extends Candidate>(
  candidates: readonly T[],
  cost: StepCost,
  { decodeRowsMax, isShared }: SharedBudget,
): readonly PlannedRows<T>[] {
  const chosen: PlannedRows<T>[] = [];
  const msMax = isShared ? sharedStepMs(cost) : STEP_MS_MAX;
  let ms = cost.emptyMs;
  let rowCount = 0;
  for (const candidate of byTurns(candidates.filter(({ isDecoding }) => isDecoding))) {
    const rows = rowsOf(candidate, candidate.pendingTokenCount);
    ms += cost.entryMs(rows, rowCount);
    rowCount += rows.rowCount;
    const isFull = rowCount > decodeRowsMax || ms > msMax;
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

/** What these prompts may add to a step in which these decode. */
function promptBudget(
  decoding: readonly PlannedRows<Candidate>[],
  cost: StepCost,
  { stepMs, isShared }: SharedBudget,
  prompts: readonly Candidate[],
): Omit<PromptBudget, "rowsMax" | "rowsBefore"> {
  if (decoding.length === 0) {
    const alone = isShared ? Math.min(Math.max(stepMs, sharedStepMs(cost)), STEP_MS_MAX) : undefined;
    const ms = (alone ?? aloneMs(cost, stepMs)) - cost.emptyMs;
    return { ms, burstMs: ms, required: true };
  }
  const decodeMs = cost.stepMs(decoding);
  const stretched = isShared
    ? decodeMs
    : Math.max(DECODE_STRETCH * decodeMs, soonMs(decoding, cost, stepMs, prompts.length), urgentMs(prompts));
  const whole = Math.min(Math.max(stepMs, stretched), STEP_MS_MAX);
  const ms = Math.max(whole - decodeMs, whole * PROMPT_SHARE_MIN);
  return { ms, burstMs: Math.max(ms, Math.min(BURST_STRETCH * whole, STEP_MS_MAX) - decodeMs), required: false };
}

/** What a step would take once these prompts decode too, stretched as it will be then: taken from now on, all of them decode sooner. */
function soonMs(
  decoding: readonly PlannedRows<Candidate>[],
  cost: StepCost,
  stepMs: number,
  promptCount: number,
): number {
  const rowMs = cost.entryMs({ position: 0, rowCount: 1 }, rowCountOf(decoding));
  return Math.min(WAITING_STRETCH * stepMs, DECODE_STRETCH * (cost.stepMs(decoding) + promptCount * rowMs));
}

/** What a step takes beside which a stream stands still: what all steps have in common is paid less often, so that it goes on sooner, and others have a bounded gap meanwhile. */
function urgentMs(prompts: readonly Candidate[]): number {
  return prompts.some(({ isUrgent = false }) => isUrgent) ? STEP_MS_ALONE : 0;
}

/** What a step takes at most, but for a tenant's turn, while more than one tenant asks. */
function sharedStepMs(cost: StepCost): number {
  return Math.min(STEP_MS_MAX, Math.max(STEP_MS_SHARED, cost.emptyMs / SHARED_EMPTY_PART));
}

/** What a step in which nobody decodes may take: longer where its first rows are dearer than further ones. */
export function aloneMs(cost: StepCost, stepMs: number): number {
  return Math.min(Math.max(stepMs, cost.readsWeights ? STEP_MS_EFFICIENT : STEP_MS_ALONE), STEP_MS_MAX);
}

function rowCountOf(entries: readonly PlannedRows<Candidate>[]): number {
  return entries.reduce((sum, { rowCount }) => sum + rowCount, 0);
}

import { type Candidate, type PlannedRows, rowsOf } from "./candidate.ts";
import { CRUMB_ROWS, STEP_MS_ALONE, TURN_SHARE } from "./limits.ts";
import type { StepCost } from "./step-cost.ts";

/** The prompts of one request; its choices are served one after the other. */
type WaitingPrompts<T> = Readonly<{
  prompts: readonly T[];
  isUrgent: boolean;
  needMs: number;
  lastStep: number;
  order: number;
}>;

/** What prompts may add to a step that has `rowsBefore` rows: `ms` on average and `burstMs` at once, and rows. `required`: the step has nothing else. */
export type PromptBudget = Readonly<{
  ms: number;
  burstMs: number;
  rowsMax: number;
  rowsBefore?: number;
  required: boolean;
}>;

/** Shares a step's milliseconds and rows among prompts. */
export class PromptShares<T extends Candidate> {
  readonly #cost: StepCost;
  readonly #step: number;
  readonly #waiting: readonly WaitingPrompts<T>[];
  readonly #rows = new Map<T, number>();
  readonly #budget: PromptBudget;
  #msLeft: number;
  #rowsLeft: number;

  /** `prompts`: one or more. The budget is of all of them together. */
  constructor(prompts: readonly T[], cost: StepCost, budget: PromptBudget, step: number) {
    this.#cost = cost;
    this.#step = step;
    this.#budget = budget;
    this.#msLeft = budget.ms;
    this.#rowsLeft = budget.rowsMax;
    this.#waiting = grouped(prompts, cost, budget.rowsMax);
  }

  /** What each prompt gets; those that get nothing are left out. */
  rows(): PlannedRows<T>[] {
    const shortestFirst = [...this.#waiting].sort(
      (a, b) => Number(b.isUrgent) - Number(a.isUrgent) || a.needMs - b.needMs || a.order - b.order,
    );
    const onTurn = nextOnTurn(shortestFirst);
    if (onTurn !== undefined) this.#serveOldest(onTurn, this.#waiting.length === 1 ? 1 : TURN_SHARE);
    for (const request of shortestFirst) for (const prompt of request.prompts) this.#serve(prompt);
    const [first] = shortestFirst;
    const prompt = first?.prompts[0];
    // One row goes, however much it takes: without it nobody would get on.
    if (this.#rows.size === 0 && prompt !== undefined && this.#budget.required)
      this.#give(prompt, Math.max(1, this.#rowsFor(prompt, this.#msLeft, this.#rowsLeft)));
    return [...this.#rows].map(([prompt, rowCount]) => rowsOf(prompt, rowCount));
  }

  /**
   * The request that was served longest ago, of those that are passed over, gets its part before shorter ones pass; parts that it did not take add up. A prompt so deep that its reads
   * would be most of what a few rows cost waits until it may take a burst of them, so that all of them share the reads. Where a burst is too short
   * for that, waiting helps nobody: it goes as soon as its parts are a step's budget, be it with one row that takes longer.
   */
  #serveOldest({ prompts, lastStep }: WaitingPrompts<T>, share: number): void {
    const [prompt] = prompts;
    if (prompt === undefined) return;
    const { ms, burstMs } = this.#budget;
    const saved = share * Math.max(1, this.#step - lastStep);
    const part = Math.min(1, saved);
    const fitting = this.#rowsFor(prompt, ms * part, Math.max(1, Math.floor(this.#rowsLeft * part)));
    if (this.#sharesReads(prompt, fitting)) {
      this.#give(prompt, fitting);
      return;
    }
    const burst = Math.max(1, this.#rowsFor(prompt, burstMs, this.#rowsLeft));
    const burstCost = this.#entryMs(prompt, burst);
    const dueMs = this.#sharesReads(prompt, burst) ? burstCost : ms;
    if (ms * saved >= dueMs) this.#give(prompt, burst);
  }

  /** All that the prompt needs or the budget has, beyond what its turn gave it. */
  #serve(prompt: T): void {
    const has = this.#rows.get(prompt) ?? 0;
    const paid = has === 0 ? 0 : this.#entryMs(prompt, has);
    const rows = this.#rowsFor(prompt, this.#msLeft + paid, this.#rowsLeft + has);
    const whole = rows === prompt.pendingTokenCount;
    const isCrumb = this.#rows.size > 0 && rows < CRUMB_ROWS;
    const worthwhile = has > 0 || whole || (!isCrumb && this.#sharesReads(prompt, rows));
    if (worthwhile && rows > has) this.#give(prompt, rows);
  }

  /** Whether so many rows of the prompt cost as much for themselves as for what they read. */
  #sharesReads(prompt: T, rowCount: number): boolean {
    if (rowCount === 0) return false;
    const costMs = this.#entryMs(prompt, rowCount + 1);
    return rowCount === prompt.pendingTokenCount || costMs >= 2 * this.#cost.promptReadMs(prompt.computedCount);
  }

  #rowsFor(prompt: T, ms: number, rowsMax: number): number {
    const { computedCount, pendingTokenCount } = prompt;
    return this.#cost.rowsWithin(computedCount, ms, Math.min(rowsMax, pendingTokenCount), this.#rowsBeside(prompt));
  }

  /** What so many rows of the prompt add to all others of the step. */
  #entryMs(prompt: T, rowCount: number): number {
    return this.#cost.entryMs(rowsOf(prompt, rowCount), this.#rowsBeside(prompt));
  }

  #rowsBeside(prompt: T): number {
    const { rowsBefore = 0, rowsMax } = this.#budget;
    return rowsBefore + rowsMax - this.#rowsLeft - (this.#rows.get(prompt) ?? 0);
  }

  /** Sets the prompt's rows and takes what they cost from what is left. */
  #give(prompt: T, rowCount: number): void {
    const has = this.#rows.get(prompt) ?? 0;
    const before = has === 0 ? 0 : this.#entryMs(prompt, has);
    this.#msLeft -= this.#entryMs(prompt, rowCount) - before;
    this.#rowsLeft -= rowCount - has;
    this.#rows.set(prompt, rowCount);
  }
}

/**
 * Those that are to have a part though others go before them: the first, and whoever is passed by a request that came later. Behind earlier ones alone
 * nobody waits for ever, and parts of all would only make all of them late.
 */
function passedOver<T>(shortestFirst: readonly WaitingPrompts<T>[]): WaitingPrompts<T>[] {
  let newest = Number.NEGATIVE_INFINITY;
  return shortestFirst.filter(({ order }, at) => {
    const isPassed = order < newest;
    newest = Math.max(newest, order);
    return isPassed || at === 0;
  });
}

/**
 * The one that was served longest ago, of those that are passed over among the urgent or among the others: so the others have a part however many are urgent.
 */
function nextOnTurn<T>(shortestFirst: readonly WaitingPrompts<T>[]): WaitingPrompts<T> | undefined {
  const urgent = shortestFirst.filter(({ isUrgent }) => isUrgent);
  const others = shortestFirst.filter(({ isUrgent }) => !isUrgent);
  const standing = [...standingOf(passedOver(urgent)), ...standingOf(passedOver(others))];
  return standing.sort((a, b) => a.lastStep - b.lastStep || a.order - b.order)[0];
}

/**
 * Of those that need little only the first that came stands for all of them, until it is computed: where all that came together took turns,
 * none of them would end before the others.
 */
function standingOf<T>(passed: readonly WaitingPrompts<T>[]): readonly WaitingPrompts<T>[] {
  const inOrder = [...passed].sort((a, b) => a.order - b.order);
  const firstShort = inOrder.find(isShort);
  return inOrder.filter((one) => one === firstShort || !isShort(one));
}

const isShort = ({ needMs }: Readonly<{ needMs: number }>): boolean => needMs <= STEP_MS_ALONE;

function grouped<T extends Candidate>(prompts: readonly T[], cost: StepCost, stepRows: number): WaitingPrompts<T>[] {
  const byRequest = Map.groupBy(prompts, ({ requestOrder }) => requestOrder);
  return [...byRequest.values()].map((list) => ({
    isUrgent: list.some(({ isUrgent = false }) => isUrgent),
    // One that was begun is ended first: its rows are held already.
    prompts: list.sort((a, b) => a.pendingTokenCount - b.pendingTokenCount || a.id - b.id),
    needMs: list.reduce(
      (sum, { computedCount, pendingTokenCount }) =>
        sum + cost.prefillMs(computedCount, computedCount + pendingTokenCount, Math.max(1, stepRows)),
      0,
    ),
    lastStep: Math.max(...list.map(({ requestLastStep }) => requestLastStep)),
    order: Math.min(...list.map(({ id }) => id)),
  }));
}

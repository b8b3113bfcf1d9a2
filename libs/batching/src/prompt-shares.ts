import type { Candidate, PlannedEntry } from "./candidate.ts";
import { BATCHING_LIMITS } from "./limits.ts";
import type { StepCost } from "./step-cost.ts";

/** The prompts of one request; its choices are served one after the other. */
type Waiting = Readonly<{ prompts: readonly Candidate[]; needMs: number; lastStep: number; order: number }>;

/** Shares a step's milliseconds and rows among prompts. */
export class PromptShares {
  readonly #cost: StepCost;
  readonly #step: number;
  readonly #waiting: readonly Waiting[];
  readonly #rows = new Map<number, number>();
  #msLeft: number;
  #rowsLeft: number;

  /** `prompts`: one or more. `ms` and `rowsMax` are what all of them may add to the step. */
  constructor(prompts: readonly Candidate[], cost: StepCost, ms: number, rowsMax: number, step: number) {
    this.#cost = cost;
    this.#step = step;
    this.#msLeft = ms;
    this.#rowsLeft = rowsMax;
    this.#waiting = grouped(prompts, cost, rowsMax);
  }

  entries(): PlannedEntry[] {
    const [onTurn] = [...this.#waiting].sort((a, b) => a.lastStep - b.lastStep || a.order - b.order);
    const alone = this.#waiting.length === 1;
    if (onTurn !== undefined && !alone) this.#turn(onTurn);
    const shortestFirst = [...this.#waiting].sort((a, b) => a.needMs - b.needMs || a.order - b.order);
    for (const request of shortestFirst) for (const prompt of request.prompts) this.#serve(prompt);
    const [first] = shortestFirst;
    // One row goes, however much it takes: without it nobody would get on.
    if (this.#rows.size === 0 && first?.prompts[0] !== undefined) this.#give(first.prompts[0], 1);
    return [...this.#rows].map(([id, rowCount]) => ({ id, rowCount }));
  }

  /**
   * The request that was served longest ago gets its part before shorter ones pass. Parts that it did not take, because not even a row fitted
   * in them, add up until they are the whole budget; then it goes, be it with one row that takes longer.
   */
  #turn({ prompts, lastStep }: Waiting): void {
    const [prompt] = prompts;
    if (prompt === undefined) return;
    const part = Math.min(1, BATCHING_LIMITS.turnShare * Math.max(1, this.#step - lastStep));
    const rowsMax = Math.max(1, Math.floor(this.#rowsLeft * part));
    const fitting = this.#rowsFor(prompt, this.#msLeft * part, rowsMax);
    if (fitting > 0 || part === 1) this.#give(prompt, Math.max(1, fitting));
  }

  /** All that the prompt needs or the budget has, beyond what its turn gave it. */
  #serve(prompt: Candidate): void {
    const has = this.#rows.get(prompt.id) ?? 0;
    const paid = has === 0 ? 0 : this.#cost.entryMs({ position: prompt.position, rowCount: has });
    const rows = this.#rowsFor(prompt, this.#msLeft + paid, this.#rowsLeft + has);
    const whole = rows === prompt.pendingTokenCount;
    const worthwhile = this.#rows.size === 0 || has > 0 || whole || rows >= BATCHING_LIMITS.crumbRows;
    if (worthwhile && rows > has) this.#give(prompt, rows);
  }

  #rowsFor({ position, pendingTokenCount }: Candidate, ms: number, rowsMax: number): number {
    return this.#cost.rowsWithin(position, ms, Math.min(rowsMax, pendingTokenCount));
  }

  /** Sets the prompt's rows and takes what they cost from what is left. */
  #give({ id, position }: Candidate, rowCount: number): void {
    const has = this.#rows.get(id) ?? 0;
    const before = has === 0 ? 0 : this.#cost.entryMs({ position, rowCount: has });
    this.#msLeft -= this.#cost.entryMs({ position, rowCount }) - before;
    this.#rowsLeft -= rowCount - has;
    this.#rows.set(id, rowCount);
  }
}

function grouped(prompts: readonly Candidate[], cost: StepCost, stepRows: number): Waiting[] {
  const byRequest = new Map<number, Candidate[]>();
  for (const prompt of prompts) {
    const list = byRequest.get(prompt.request);
    if (list === undefined) byRequest.set(prompt.request, [prompt]);
    else list.push(prompt);
  }
  return [...byRequest.values()].map((list) => ({
    // One that was begun is ended first: its rows are held already.
    prompts: list.sort((a, b) => a.pendingTokenCount - b.pendingTokenCount || a.id - b.id),
    needMs: list.reduce(
      (sum, { position, pendingTokenCount }) =>
        sum + cost.prefillMs(position, position + pendingTokenCount, Math.max(1, stepRows)),
      0,
    ),
    lastStep: Math.max(...list.map(({ requestLastStep }) => requestLastStep)),
    order: Math.min(...list.map(({ id }) => id)),
  }));
}

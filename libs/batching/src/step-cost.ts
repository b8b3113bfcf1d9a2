import { type CostTerms, costOf, type EntryShape, entryTerms, stepTerms, termsOf } from "./cost-terms.ts";
import { type CostSample, fitCost } from "./fit-cost.ts";
import { UNTRIED_ROWS } from "./limits.ts";

/** Milliseconds for one unit of each term, before anything is measured: proportions of a small model on one core, on the slow side. */
export const DEFAULT_COST: CostTerms = {
  step: 2,
  row: 0.4,
  globalPair: 6e-5,
  globalRead: 2e-4,
  localPair: 6e-5,
  prompt: 0.3,
  decode: 0.3,
};

/**
 * How far one step moves the coefficients, as a power of how wrong the prediction was: of n steps so far one in n, in the long run one in ten.
 * And how wrong it counts at most, as a logarithm.
 */
const LEARNING_RATE_MIN = 0.1;
const SURPRISE_MAX = 0.5;
/** No coefficient falls below this share of its default: what is zero could never be corrected. */
const FLOOR = 1e-3;

/**
 * Predicts how long steps take, and learns from how long they took. Every coefficient is corrected in proportion to its share of the
 * prediction, by a bounded factor: prompts deep in their context teach nothing about decoding, and one stalled step hardly anything.
 */
export class StepCost {
  readonly #chunkRows: number;
  #coefficients: CostTerms;
  #measuredCount = 0;
  #rowsTried = 0;

  constructor(chunkRows: number, coefficients: CostTerms = DEFAULT_COST) {
    this.#chunkRows = chunkRows;
    this.#coefficients = coefficients;
  }

  /** Whether the coefficients come from any measured step. */
  get isMeasured(): boolean {
    return this.#measuredCount > 0;
  }

  get coefficients(): CostTerms {
    return this.#coefficients;
  }

  /** Rows of one step that a prediction can be trusted for: twice the most that were measured. */
  get rowsTrusted(): number {
    return Math.max(UNTRIED_ROWS, 2 * this.#rowsTried);
  }

  /** What a step takes with nothing in it. */
  get emptyMs(): number {
    return this.#coefficients.step;
  }

  /** What an entry adds to its step. */
  entryMs(entry: EntryShape): number {
    return costOf(entryTerms(entry, this.#chunkRows), this.#coefficients);
  }

  /** What a prompt at `position` adds to its step however few its rows are: mostly the keys and values that it reads. */
  promptReadMs(position: number): number {
    return position * this.#coefficients.globalRead + this.#coefficients.prompt;
  }

  /** What a step of these entries takes. */
  stepMs(entries: readonly EntryShape[]): number {
    return costOf(stepTerms(entries, this.#chunkRows), this.#coefficients);
  }

  /** The most rows at `position` that add at most `ms`, up to `rowsMax`; 0 when not even one does. */
  rowsWithin(position: number, ms: number, rowsMax: number): number {
    let low = 0;
    let high = rowsMax;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.entryMs({ position, rowCount: middle }) <= ms) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** What it takes to compute rows [from, to) in steps of `stepRows`. */
  prefillMs(from: number, to: number, stepRows: number): number {
    if (to <= from) return 0;
    const steps = Math.ceil((to - from) / stepRows);
    const rows = entryTerms({ position: from, rowCount: to - from }, this.#chunkRows);
    // Each step reads what is before it, half of all on average.
    const globalRead = (steps * (from + to)) / 2;
    return costOf({ ...rows, globalRead, prompt: steps, decode: 0 }, this.#coefficients);
  }

  /** Takes the coefficients from measured steps. */
  fit(samples: readonly CostSample[]): void {
    if (samples.length === 0) return;
    this.#coefficients = aboveFloor(fitCost(samples, DEFAULT_COST));
    this.#measuredCount = Math.max(this.#measuredCount, samples.length);
    for (const { terms } of samples) this.#tried(terms);
  }

  /** Corrects the coefficients by a step that took `ms`. The first one ever sets the scale of them all. */
  observe(entries: readonly EntryShape[], ms: number): void {
    const terms = stepTerms(entries, this.#chunkRows);
    const predicted = costOf(terms, this.#coefficients);
    if (!(ms > 0 && predicted > 0)) return;
    this.#tried(terms);
    this.#measuredCount += 1;
    if (this.#measuredCount === 1) {
      this.#coefficients = scaled(this.#coefficients, ms / predicted);
      return;
    }
    const rate = Math.max(LEARNING_RATE_MIN, 1 / this.#measuredCount);
    const surprise = Math.max(-SURPRISE_MAX, Math.min(SURPRISE_MAX, Math.log(ms / predicted)));
    const before = this.#coefficients;
    const corrected = (term: keyof CostTerms) =>
      before[term] * Math.exp((rate * surprise * (before[term] * terms[term])) / predicted);
    this.#coefficients = aboveFloor(termsOf(corrected));
  }

  #tried(terms: CostTerms): void {
    this.#rowsTried = Math.max(this.#rowsTried, terms.row);
  }
}

function scaled(coefficients: CostTerms, factor: number): CostTerms {
  return termsOf((term) => coefficients[term] * factor);
}

function aboveFloor(coefficients: CostTerms): CostTerms {
  return termsOf((term) => Math.max(coefficients[term], DEFAULT_COST[term] * FLOOR));
}

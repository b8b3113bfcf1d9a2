import {
  type CostTerms,
  costOf,
  type EntryShape,
  entryTerms,
  expertsReached,
  stepTerms,
  termsOf,
} from "./cost-terms.ts";
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
  expert: 1,
};

/** The same of a device that waits for weights before it waits for products: proportions of a card. */
const READING_COST: CostTerms = {
  step: 2,
  row: 0.1,
  globalPair: 2e-6,
  globalRead: 1e-5,
  localPair: 2e-6,
  prompt: 0.05,
  decode: 0.01,
  expert: 1.5,
};

/** Milliseconds for one unit of each term; of experts nothing unless it is said. */
type GivenCost = Omit<CostTerms, "expert"> & Partial<Pick<CostTerms, "expert">>;

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
  readonly #expertCount: number;
  readonly #prior: CostTerms;
  #coefficients: CostTerms;
  #measuredCount = 0;
  #rowsTried = 0;

  /** `expertCount`: experts of a layer whose weights a step waits for where its rows come to them; 0: it waits for products alone, and each row costs alike. */
  constructor(chunkRows: number, coefficients?: GivenCost, expertCount = 0) {
    this.#chunkRows = chunkRows;
    this.#expertCount = expertCount;
    this.#prior = expertCount > 0 ? READING_COST : DEFAULT_COST;
    this.#coefficients = coefficients === undefined ? this.#prior : { expert: 0, ...coefficients };
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

  /** Whether a step waits for weights before it waits for products, so that its first rows are dearer than further ones. */
  get readsWeights(): boolean {
    return this.#expertCount > 0;
  }

  /** What an entry adds to a step that has so many rows already. */
  entryMs(entry: EntryShape, rowsBefore = 0): number {
    const reached = (rowCount: number) => expertsReached(this.#expertCount, rowCount);
    const expert = reached(rowsBefore + entry.rowCount) - reached(rowsBefore);
    return costOf({ ...entryTerms(entry, this.#chunkRows), expert }, this.#coefficients);
  }

  /** The terms of a step of these entries. */
  terms(entries: readonly EntryShape[]): CostTerms {
    return stepTerms(entries, this.#chunkRows, this.#expertCount);
  }

  /** What a prompt at `position` adds to its step however few its rows are: mostly the keys and values that it reads. */
  promptReadMs(position: number): number {
    return position * this.#coefficients.globalRead + this.#coefficients.prompt;
  }

  /** What a step of these entries takes. */
  stepMs(entries: readonly EntryShape[]): number {
    return costOf(this.terms(entries), this.#coefficients);
  }

  /** The most rows at `position` that add at most `ms` to a step that has `rowsBefore`, up to `rowsMax`; 0 when not even one does. */
  rowsWithin(position: number, ms: number, rowsMax: number, rowsBefore = 0): number {
    let low = 0;
    let high = rowsMax;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.entryMs({ position, rowCount: middle }, rowsBefore) <= ms) low = middle;
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
    const expert = steps * expertsReached(this.#expertCount, (to - from) / steps);
    return costOf({ ...rows, globalRead, prompt: steps, decode: 0, expert }, this.#coefficients);
  }

  /** Takes the coefficients from measured steps. */
  fit(samples: readonly CostSample[]): void {
    if (samples.length === 0) return;
    this.#coefficients = this.#aboveFloor(fitCost(samples, this.#prior));
    this.#measuredCount = Math.max(this.#measuredCount, samples.length);
    for (const { terms } of samples) this.#tried(terms);
  }

  /** Corrects the coefficients by a step that took `ms`. The first one ever sets the scale of them all. */
  observe(entries: readonly EntryShape[], ms: number): void {
    const terms = this.terms(entries);
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
    this.#coefficients = this.#aboveFloor(termsOf(corrected));
  }

  #aboveFloor(coefficients: CostTerms): CostTerms {
    return termsOf((term) => Math.max(coefficients[term], this.#prior[term] * FLOOR));
  }

  #tried(terms: CostTerms): void {
    this.#rowsTried = Math.max(this.#rowsTried, terms.row);
  }
}

function scaled(coefficients: CostTerms, factor: number): CostTerms {
  return termsOf((term) => coefficients[term] * factor);
}

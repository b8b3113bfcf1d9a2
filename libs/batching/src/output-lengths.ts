/** What an output is taken to be before any has ended, tokens, and how many ended ones weigh as much as that. */
const PRIOR_TOKENS = 128;
const PRIOR_WEIGHT = 4;
/** The weight of what ended before falls by this factor with each new end: about the last hundred count. */
const MEMORY = 0.99;
/** Of a choice that is past the expected length, this share of what it has is expected again. */
const OVERTIME = 0.25;

/** Learns how long outputs are, so that room is kept for what requests will take and not for the most they may. */
export class OutputLengths {
  #sum = PRIOR_TOKENS * PRIOR_WEIGHT;
  #weight = PRIOR_WEIGHT;

  /** An output ended after `tokenCount` tokens. */
  observe(tokenCount: number): void {
    this.#sum = this.#sum * MEMORY + tokenCount;
    this.#weight = this.#weight * MEMORY + 1;
  }

  /** Tokens that an output of `generated` so far is expected to add, at most up to `tokensMax`. */
  remaining(generated: number, tokensMax: number): number {
    const mean = this.#sum / this.#weight;
    const expected = Math.ceil(Math.max(mean - generated, generated * OVERTIME));
    return Math.max(0, Math.min(tokensMax - generated, expected));
  }
}

import { assert } from "@drover/core";
import { EXPONENT_LEAST } from "./limits.ts";
import { type RankedPrefix, Ranking } from "./ranking.ts";
import { weightScratch } from "./scratch.ts";
import { type Weighted, weigh } from "./weighted.ts";

/**
 * The tokens that may be drawn, each with the weight e^((score - best) / temperature). Limits leave tokens out; weights
 * are counted when a limit or the draw first asks, so that a bound that is known before saves the exponentials below
 * it. Lives until the next call of sampleToken, whose scratch it uses.
 */
export class Candidates {
  readonly #scores: Float32Array;
  readonly #best: number;
  readonly #temperature: number;
  #exponentLeast = EXPONENT_LEAST;
  #weighted: Weighted | undefined;
  #ranking: Ranking | undefined;
  #kept: RankedPrefix | undefined;

  /** `scores` [V], `best` the greatest of them; the temperature is above 0. */
  constructor(scores: Float32Array, best: number, temperature: number) {
    this.#scores = scores;
    this.#best = best;
    this.#temperature = temperature;
  }

  /** The candidates by falling score, those too that {@link keep} has left out since. */
  get ranking(): Ranking {
    this.#ranking ??= new Ranking(this.#weigh());
    return this.#ranking;
  }

  /** What the candidates weigh together. */
  get weight(): number {
    return this.#kept?.weight ?? this.ranking.totalWeight;
  }

  /** Leaves out tokens of a weight below e^exponent; the likeliest weighs e^0. A bug once weights were counted. */
  keepAbove(exponent: number): void {
    assert(this.#weighted === undefined, "a bound on weights comes before what counts them");
    this.#exponentLeast = Math.max(this.#exponentLeast, exponent);
  }

  /**
   * Leaves out what ranks behind a prefix of {@link ranking} that is no longer than the one before; undefined: nothing
   * is left out.
   */
  keep(prefix: RankedPrefix | undefined): void {
    this.#kept = prefix ?? this.#kept;
  }

  /** The weights, [V]; 0 for tokens that are left out. Ends the limits. */
  weights(): Float64Array {
    const weighted = this.#weigh();
    if (this.#kept !== undefined) dropBehind(weighted, this.#kept);
    return weighted.weights;
  }

  #weigh(): Weighted {
    this.#weighted ??= weigh(
      this.#scores,
      this.#best,
      this.#temperature,
      this.#exponentLeast,
      weightScratch(this.#scores.length),
    );
    return this.#weighted;
  }
}

/** Gives every token that ranks behind a prefix the weight 0. */
function dropBehind({ scores, weights }: Weighted, { cut }: RankedPrefix): void {
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id] ?? 0;
    if (score < cut.score || (score === cut.score && id > cut.id)) weights[id] = 0;
  }
}

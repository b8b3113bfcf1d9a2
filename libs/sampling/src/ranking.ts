import { BUCKET_COUNT, EXPONENT_LEAST } from "./limits.ts";
import type { Weighted } from "./weighted.ts";

/** The last token that is kept, by score and then by id: better scores are kept, and equal ones up to this id. */
type Cut = Readonly<{ score: number; id: number }>;

/** The likeliest tokens down to the cut, and what they weigh together. */
export type RankedPrefix = Readonly<{ cut: Cut; weight: number }>;

/**
 * Tokens by falling score, and by rising id among equals, without sorting them all: a histogram finds the bucket where
 * a limit falls, and only that bucket is sorted.
 */
export class Ranking {
  readonly #tokens: Weighted;
  readonly #counts = new Uint32Array(BUCKET_COUNT);
  readonly #sums = new Float64Array(BUCKET_COUNT);

  constructor(tokens: Weighted) {
    this.#tokens = tokens;
    const { scores, best, weights } = tokens;
    const scale = bucketsPerScore(tokens);
    const counts = this.#counts;
    const sums = this.#sums;
    for (let id = 0; id < weights.length; id++) {
      const weight = weights[id] ?? 0;
      if (weight === 0) continue;
      const bucket = bucketOf((best - (scores[id] ?? 0)) * scale);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      sums[bucket] = (sums[bucket] ?? 0) + weight;
    }
  }

  get totalWeight(): number {
    return this.#sums.reduce((sum, weight) => sum + weight, 0);
  }

  /** The `count` best tokens; undefined when there are no more than that. */
  first(count: number): RankedPrefix | undefined {
    return this.#prefix((kept) => kept >= count);
  }

  /** The shortest prefix of the ranking that weighs at least so much; undefined when all together do not. */
  shortestPrefixWeighing(weight: number): RankedPrefix | undefined {
    return this.#prefix((_, kept) => kept >= weight);
  }

  #prefix(isEnough: (count: number, weight: number) => boolean): RankedPrefix | undefined {
    let count = 0;
    let weight = 0;
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      const bucketCount = this.#counts[bucket] ?? 0;
      const bucketWeight = this.#sums[bucket] ?? 0;
      if (bucketCount > 0 && isEnough(count + bucketCount, weight + bucketWeight)) {
        return this.#prefixWithin(bucket, count, weight, isEnough);
      }
      count += bucketCount;
      weight += bucketWeight;
    }
    return undefined;
  }

  #prefixWithin(
    bucket: number,
    countBefore: number,
    weightBefore: number,
    isEnough: (count: number, weight: number) => boolean,
  ): RankedPrefix {
    let weight = weightBefore;
    let cut: Cut = { score: Number.POSITIVE_INFINITY, id: -1 };
    const ids = this.#sorted(bucket);
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] ?? 0;
      weight += this.#tokens.weights[id] ?? 0;
      cut = { score: this.#tokens.scores[id] ?? 0, id };
      // Sums in another order may round below the limit that the bucket's own sum reached; then its last token is the
      // cut.
      if (isEnough(countBefore + i + 1, weight)) break;
    }
    return { cut, weight };
  }

  #sorted(bucket: number): Uint32Array {
    const { scores, best, weights } = this.#tokens;
    const scale = bucketsPerScore(this.#tokens);
    const ids = new Uint32Array(this.#counts[bucket] ?? 0);
    let next = 0;
    for (let id = 0; id < weights.length; id++) {
      if (weights[id] !== 0 && bucketOf((best - (scores[id] ?? 0)) * scale) === bucket) ids[next++] = id;
    }
    return ids.sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  }
}

function bucketsPerScore({ temperature }: Weighted): number {
  return BUCKET_COUNT / (-EXPONENT_LEAST * temperature);
}

function bucketOf(position: number): number {
  return Math.min(BUCKET_COUNT - 1, Math.floor(position));
}

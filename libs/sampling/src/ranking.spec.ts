import fc from "fast-check";
import { expect, test } from "vitest";
import { EXPONENT_LEAST } from "./limits.ts";
import { Ranking } from "./ranking.ts";
import { weigh } from "./weighted.ts";

/** Few different values, so that equal scores are common. */
const scores = fc.array(fc.integer({ min: -60, max: 0 }), { minLength: 1, maxLength: 60 });

function rank(values: readonly number[], temperature: number) {
  const best = Math.max(...values);
  const tokens = weigh(Float32Array.from(values), best, temperature, EXPONENT_LEAST, new Float64Array(values.length));
  const ranked = values
    .map((score, id) => ({ id, score, weight: Math.exp((score - best) / temperature) }))
    .filter(({ score }) => (score - best) / temperature >= -80)
    .sort((a, b) => b.score - a.score || a.id - b.id);
  return { ranking: new Ranking(tokens), ranked };
}

test("the first k end where sorting all tokens ends them", () => {
  fc.assert(
    fc.property(scores, fc.integer({ min: 1, max: 70 }), fc.constantFrom(0.3, 1, 4), (values, k, temperature) => {
      const { ranking, ranked } = rank(values, temperature);
      const last = ranked[k - 1];
      const prefix = ranking.first(k);
      expect(prefix?.cut).toEqual(last && { score: last.score, id: last.id });
      const weight = ranked.slice(0, k).reduce((sum, token) => sum + token.weight, 0);
      if (prefix !== undefined) expect(prefix.weight).toBeCloseTo(weight, 10);
    }),
    { seed: 1 },
  );
});

test("a prefix by weight is the shortest that weighs enough", () => {
  fc.assert(
    fc.property(scores, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (values, share) => {
      const { ranking, ranked } = rank(values, 2);
      const goal = share * ranking.totalWeight;
      const cut = ranking.shortestPrefixWeighing(goal)?.cut;
      const at = ranked.findIndex((token) => token.id === cut?.id);
      const weightOf = (count: number) => ranked.slice(0, count).reduce((sum, token) => sum + token.weight, 0);
      expect(weightOf(at + 1)).toBeGreaterThanOrEqual(goal * (1 - 1e-12));
      expect(weightOf(at)).toBeLessThan(goal * (1 + 1e-12));
    }),
    { seed: 2 },
  );
});

test("a vocabulary of 200,000 equal tokens is cut by id", () => {
  const size = 200_000;
  const ranking = new Ranking(weigh(new Float32Array(size), 0, 1, EXPONENT_LEAST, new Float64Array(size)));
  expect(ranking.first(1000)?.cut).toEqual({ score: 0, id: 999 });
  expect(ranking.shortestPrefixWeighing(size / 2)?.cut).toEqual({ score: 0, id: size / 2 - 1 });
});

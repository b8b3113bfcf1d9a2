import { greedyParams, type SamplingParams } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { needsFullLogits, sampleToken } from "./chain.ts";
import { CHI_SQUARE_LIMIT, chiSquare } from "./testing/chi-square.ts";
import { rows, sampleInput, tokenIds } from "./testing/sample-input.ts";
import { TokenHistory } from "./token-history.ts";

const greedy = greedyParams(16);
const logits = Float32Array.of(0, 3, 2, 1, -1);

function sample(
  params: Partial<SamplingParams>,
  index = 0,
  output: readonly number[] = [],
  prompt: readonly number[] = [],
): number {
  const history = new TokenHistory(prompt);
  for (const id of output) history.append(id);
  return sampleToken({ logits, params: { ...greedy, ...params }, history, choice: 0, index });
}

test("greedy takes the lowest id among the likeliest", () => {
  const ties = Float32Array.of(1, 5, 5, 0);
  expect(sampleToken({ logits: ties, params: greedy, history: new TokenHistory([]), choice: 0, index: 0 })).toBe(1);
});

/** The shares of 20,000 samples, one for each seed. */
function frequencies(params: Partial<SamplingParams>): number[] {
  const counts = Array<number>(logits.length).fill(0);
  for (let seed = 0; seed < 20_000; seed++) {
    const id = sample({ temperature: 1, ...params, seed });
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts;
}

/** The softmax of the logits over a temperature, among the ids that are kept. */
function shares(kept: readonly number[], temperature = 1): number[] {
  const weights = [...logits].map((x, id) => (kept.includes(id) ? Math.exp(x / temperature) : 0));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

test("over many seeds samples follow the softmax of the logits over the temperature", () => {
  for (const temperature of [0.7, 1, 1.5]) {
    const counts = frequencies({ temperature });
    expect(chiSquare(counts, shares([0, 1, 2, 3, 4], temperature))).toBeLessThan(CHI_SQUARE_LIMIT[4]);
  }
});

test("a sample is a function of seed, choice and index, whatever was sampled between", () => {
  const at = (seed: number, choice: number, index: number) =>
    sampleToken({
      logits,
      params: { ...greedy, temperature: 3, seed },
      history: new TokenHistory([]),
      choice,
      index,
    });
  const first = Array.from({ length: 50 }, (_, i) => at(i % 5, i % 3, i));
  const backwards = Array.from({ length: 50 }, (_, i) => at((49 - i) % 5, (49 - i) % 3, 49 - i)).reverse();
  expect(backwards).toEqual(first);
  const along = (choice: number, seed: number) => Array.from({ length: 30 }, (_, index) => at(seed, choice, index));
  expect(along(1, 0)).not.toEqual(along(0, 0));
  expect(along(0, 1)).not.toEqual(along(0, 0));
});

test.each([
  { name: "top-k keeps the k likeliest", params: { topK: 2 }, kept: [1, 2] },
  { name: "top-p keeps the shortest likeliest set that has the share", params: { topP: 0.7 }, kept: [1, 2] },
  { name: "min-p keeps what has the share of the likeliest", params: { minP: 0.1 }, kept: [1, 2, 3] },
  // Without min-p 0.9 takes three tokens; of what min-p leaves, the first two have 0.9.
  { name: "top-p counts among what min-p left", params: { minP: 0.3, topP: 0.9 }, kept: [1, 2] },
  // 0.85 of all takes two tokens; of the two that top-k left, the first has 0.73.
  { name: "top-p counts among what top-k left", params: { topK: 2, topP: 0.7 }, kept: [1] },
  { name: "a top-k of the whole vocabulary keeps all", params: { topK: 5 }, kept: [0, 1, 2, 3, 4] },
])("$name, and leaves their proportions", ({ params, kept }) => {
  const counts = frequencies(params);
  expect(counts.flatMap((count, id) => (count > 0 ? [id] : []))).toEqual(kept);
  const of = (values: readonly number[]) => kept.map((id) => values[id] ?? 0);
  if (kept.length > 1) expect(chiSquare(of(counts), of(shares(kept)))).toBeLessThan(CHI_SQUARE_LIMIT[4]);
});

test("at every temperature a limit of one token is greedy", () => {
  fc.assert(
    fc.property(
      fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 40 }),
      fc.double({ min: 0.05, max: 5, noNaN: true }),
      fc.nat(1000),
      (row, temperature, seed) => {
        const at = (params: Partial<SamplingParams>) =>
          sampleToken({
            logits: Float32Array.from(row),
            params: { ...greedy, ...params, seed },
            history: new TokenHistory([]),
            choice: 0,
            index: 0,
          });
        expect(at({ temperature, topK: 1 })).toBe(at({}));
        expect(at({ temperature, topP: 1e-12 })).toBe(at({}));
      },
    ),
    { seed: 3 },
  );
});

test("a bias is added before everything, and one beyond the vocabulary is ignored", () => {
  expect(sample({ logitBias: [[4, 100]] })).toBe(4);
  expect(sample({ logitBias: [[1, -100]] })).toBe(2);
  expect(sample({ logitBias: [[5000, 100]] })).toBe(1);
});

test("end tokens are banned below min_tokens, whatever their bias, and free from there on", () => {
  const params: Partial<SamplingParams> = { minTokens: 2, stopTokenIds: [1, 4], logitBias: [[4, 100]] };
  expect(sample(params, 0)).toBe(2);
  expect(sample(params, 1)).toBe(2);
  expect(sample(params, 2)).toBe(4);
  for (let seed = 0; seed < 200; seed++) expect([0, 2, 3]).toContain(sample({ ...params, temperature: 9, seed }, 1));
});

test("penalties count from the history: repetition in prompt and output, presence and frequency in the output", () => {
  expect(sample({ repetitionPenalty: 3 }, 0, [], [1])).toBe(2);
  expect(sample({ repetitionPenalty: 3 }, 0, [1], [])).toBe(2);
  expect(sample({ presencePenalty: 2 }, 0, [1])).toBe(2);
  expect(sample({ frequencyPenalty: 0.9 }, 0, [1])).toBe(1);
  expect(sample({ frequencyPenalty: 0.9 }, 0, [1, 1])).toBe(2);
  expect(sample({ presencePenalty: 2, frequencyPenalty: 2 }, 0, [], [1, 1])).toBe(1);
});

test("a token outside of the grammar's mask is never chosen, whatever the parameters", () => {
  const params = fc.record({
    temperature: fc.constantFrom(0, 0.2, 1, 50),
    topP: fc.constantFrom(1, 0.5, 1e-9),
    topK: fc.constantFrom(0, 1, 3),
    minP: fc.constantFrom(0, 0.5),
    repetitionPenalty: fc.constantFrom(0.2, 1, 3),
    presencePenalty: fc.constantFrom(-2, 0, 2),
    frequencyPenalty: fc.constantFrom(-2, 0, 2),
    logitBias: fc.array(fc.tuple(fc.nat(90), fc.integer({ min: -100, max: 100 })), { maxLength: 4 }),
    seed: fc.nat(),
    minTokens: fc.nat(3),
    stopTokenIds: tokenIds,
  });
  fc.assert(
    fc.property(
      rows,
      params,
      tokenIds,
      fc.uniqueArray(fc.nat(79), { minLength: 1, maxLength: 10 }),
      (row, p, seen, ids) => {
        const within = ids.map((id) => id % row.length);
        const allowed = new Uint32Array(3);
        for (const id of within) allowed[id >> 5] = (allowed[id >> 5] ?? 0) | (1 << (id & 31));
        const given = { logits: row, params: p, prompt: seen, output: seen, index: 1, allowed };
        const tokenId = sampleToken(sampleInput(given));
        expect(within).toContain(tokenId);
        expect(needsFullLogits({ ...greedy, ...p }, 1, allowed)).toBe(true);
      },
    ),
    { seed: 4, numRuns: 2000 },
  );
});

test("the logits are left as they are", () => {
  const before = logits.slice();
  sample({ temperature: 1, topK: 2, logitBias: [[0, 5]], presencePenalty: 1, repetitionPenalty: 2 }, 0, [1], [2]);
  expect(logits).toEqual(before);
});

test("only plain greedy does without the whole logits", () => {
  const ends: Partial<SamplingParams> = { minTokens: 2, stopTokenIds: [1] };
  expect(needsFullLogits(greedy, 0)).toBe(false);
  expect(needsFullLogits({ ...greedy, ...ends }, 1)).toBe(true);
  expect(needsFullLogits({ ...greedy, ...ends }, 2)).toBe(false);
  for (const params of [
    { temperature: 1 },
    { logitBias: [[1, 1]] as const },
    { repetitionPenalty: 1.1 },
    { presencePenalty: 0.1 },
    { frequencyPenalty: 0.1 },
  ])
    expect(needsFullLogits({ ...greedy, ...params }, 0)).toBe(true);
});

import type { SamplingParams } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { draw } from "./random.ts";
import { needsFullLogits, sampleToken } from "./sample.ts";
import { TokenHistory } from "./token-history.ts";

const greedy: SamplingParams = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
  seed: 7,
  n: 1,
  maxTokens: 16,
  minTokens: 0,
  stopTokenIds: [],
  topLogprobs: -1,
  promptTopLogprobs: -1,
  routedExperts: false,
};
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

test("a draw depends on seed, choice and index alone, and is uniform", () => {
  const n = 40_000;
  const bins = new Array<number>(10).fill(0);
  for (let i = 0; i < n; i++) {
    const bin = Math.floor(draw(12_345, 0, i) * 10);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const chiSquare = bins.reduce((sum, count) => sum + (count - n / 10) ** 2 / (n / 10), 0);
  expect(chiSquare).toBeLessThan(27.9); // 9 degrees of freedom, p = 0.001
  expect(draw(1, 2, 3)).toBe(draw(1, 2, 3));
  expect(new Set([draw(1, 2, 3), draw(1, 2, 4), draw(1, 3, 3), draw(2, 2, 3), draw(2 ** 40 + 1, 2, 3)]).size).toBe(5);
});

test("samples follow the softmax of the logits over the temperature", () => {
  const n = 20_000;
  const counts = [0, 0, 0, 0, 0];
  for (let index = 0; index < n; index++) {
    const id = sample({ temperature: 1.5 }, index);
    counts[id] = (counts[id] ?? 0) + 1;
  }
  const weights = [...logits].map((x) => Math.exp(x / 1.5));
  const total = weights.reduce((a, b) => a + b, 0);
  const chiSquare = counts.reduce(
    (sum, count, i) => sum + (count - (n * (weights[i] ?? 0)) / total) ** 2 / ((n * (weights[i] ?? 0)) / total),
    0,
  );
  expect(chiSquare).toBeLessThan(18.5); // 4 degrees of freedom, p = 0.001
});

test("top-k, top-p and min-p never let a less likely token through", () => {
  fc.assert(
    fc.property(fc.nat(10_000), (index) => {
      expect([1, 2]).toContain(sample({ temperature: 5, topK: 2 }, index));
      expect([1]).toContain(sample({ temperature: 1, topP: 0.5 }, index));
      expect([1, 2]).toContain(sample({ temperature: 1, minP: 0.3 }, index));
    }),
  );
});

test("bias, bans and penalties move the choice", () => {
  expect(sample({ logitBias: [[4, 100]] })).toBe(4);
  expect(sample({ minTokens: 1, stopTokenIds: [1] })).toBe(2);
  expect(sample({ minTokens: 1, stopTokenIds: [1] }, 1)).toBe(1);
  expect(sample({ repetitionPenalty: 3 }, 0, [], [1])).toBe(2);
  expect(sample({ presencePenalty: 2 }, 0, [1])).toBe(2);
  expect(sample({ frequencyPenalty: 1 }, 0, [1])).toBe(1);
  expect(sample({ frequencyPenalty: 1 }, 0, [1, 1])).toBe(2);
});

test("only plain greedy does without the whole logits", () => {
  expect(needsFullLogits(greedy, 0)).toBe(false);
  expect(needsFullLogits({ ...greedy, minTokens: 2 }, 1)).toBe(true);
  expect(needsFullLogits({ ...greedy, minTokens: 2 }, 2)).toBe(false);
  expect(needsFullLogits({ ...greedy, temperature: 1 }, 0)).toBe(true);
});

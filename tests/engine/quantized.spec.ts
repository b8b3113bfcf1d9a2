import { join } from "node:path";
import type { Quantization } from "@drover/checkpoint";
import { drain, greedyTask, openLocalEngine } from "@drover/testkit";
import { expect, test } from "vitest";

const model = join(import.meta.dirname, "../../models/nano");
const prompts = [5, 120, 257, 40, 300].map((length, seed) =>
  Array.from({ length }, (_, i) => (i * 7919 + seed * 104_729) % 3000),
);
const OUTPUT_TOKENS = 8;
/**
 * Kernels add up the same products in another order for one row than for several, how differently depends on the processor, and a number that falls on
 * the other side of a rounding to 8 bits grows from there: most log-probabilities are equal to 1e-6, a few move by some hundredths. Where the
 * likeliest token leads by less than this either may be chosen.
 */
const MARGIN_MIN = 0.25;
const LOGPROB_ERROR_MAX = 0.15;
const LOGPROB_ERROR_MEDIAN_MAX = 1e-2;
const COMPARED_MIN = 10;

/** A greedy token with the log-probabilities of the likeliest two. */
type Choice = { id: number; first: number; second: number };

/** Every prompt's greedy tokens, computed together or one after the other. */
async function generate(
  quantization: Quantization | null,
  together: boolean,
  remoteExperts = false,
): Promise<Choice[][]> {
  const local = await openLocalEngine(model, { prefillRowsMax: together ? 64 : 512, quantization, remoteExperts });
  for (const [i, ids] of prompts.entries()) {
    const task = greedyTask(`r${i}`, ids, OUTPUT_TOKENS);
    expect(local.engine.place({ ...task, params: { ...task.params, topLogprobs: 2 } })).toBeUndefined();
    if (!together) await drain(local);
  }
  await drain(local);
  const choices: Choice[][] = prompts.map(() => []);
  for (const { requestId, event } of local.events) {
    if (event.kind !== "token") continue;
    const [first, second] = event.top.map(({ logprob }) => logprob);
    if (first === undefined || second === undefined) throw new Error("a token without its log-probabilities");
    choices[Number(requestId.slice(1))]?.push({ id: event.tokenId, first, second });
  }
  expect(choices.map((list) => list.length)).toEqual(prompts.map(() => OUTPUT_TOKENS));
  return choices;
}

/** Expects the same tokens and log-probabilities up to each prompt's first token that leads by too little. */
function expectEqual(actual: Choice[][], expected: Choice[][]): void {
  const errors: number[] = [];
  for (const [i, list] of expected.entries()) {
    const close = list.findIndex(({ first, second }) => first - second < MARGIN_MIN);
    const clear = close < 0 ? list : list.slice(0, close);
    const others = actual[i]?.slice(0, clear.length) ?? [];
    expect(others.map(({ id }) => id)).toEqual(clear.map(({ id }) => id));
    for (const [index, { first }] of clear.entries())
      errors.push(Math.abs((others[index]?.first ?? Number.NaN) - first));
  }
  errors.sort((a, b) => a - b);
  expect(errors.length).toBeGreaterThanOrEqual(COMPARED_MIN);
  expect(errors.at(-1)).toBeLessThan(LOGPROB_ERROR_MAX);
  expect(errors[errors.length >> 1]).toBeLessThan(LOGPROB_ERROR_MEDIAN_MAX);
}

test.each([
  { bits: 4, blockSize: 128 },
  { bits: 8, blockSize: 32 },
] as const)("quantized tokens do not depend on the batch or on the prefill chunk: %o", async (quantization) => {
  expectEqual(await generate(quantization, true), await generate(quantization, false));
});

test("tokens do not depend on whether the shared expert is a run of its own", async () => {
  expectEqual(await generate(null, true, true), await generate(null, true, false));
});

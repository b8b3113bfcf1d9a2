import { greedyParams, type SamplingParams } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sampleToken } from "../chain.ts";
import { TokenHistory } from "../token-history.ts";

const VOCAB = 5;

/** Tokens that are drawn one after the other from rows of the same kind. */
function drawn(params: Partial<SamplingParams>, seed: number, count = 12): number[] {
  const history = new TokenHistory([]);
  const output: number[] = [];
  for (let index = 0; index < count; index++) {
    const logits = Float32Array.from({ length: VOCAB }, (_, id) => Math.sin(seed + 7 * index + 3 * id));
    const all = { ...greedyParams(count), temperature: 2, seed, ...params };
    const id = sampleToken({ logits, params: all, history, choice: 0, index });
    history.append(id);
    output.push(id);
  }
  return output;
}

const id = fc.nat(VOCAB - 1);

test("no output has a banned sequence, whatever was drawn before", () => {
  // One token is never banned, so that something can always come.
  const banned = fc.array(fc.array(fc.integer({ min: 1, max: VOCAB - 1 }), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(banned, fc.nat(1000), (bannedSequences, seed) => {
      const output = ` ${drawn({ bannedSequences }, seed).join(" ")} `;
      for (const sequence of bannedSequences) expect(output).not.toContain(` ${sequence.join(" ")} `);
    }),
    { numRuns: 50 },
  );
});

test("only allowed tokens come, also where all of them are banned", () => {
  fc.assert(
    fc.property(fc.array(id, { minLength: 1, maxLength: 4 }), fc.array(id), fc.nat(1000), (allowed, stops, seed) => {
      const bannedSequences = allowed.map((one) => [one]);
      const params = { allowedTokenIds: allowed, bannedSequences, stopTokenIds: stops, minTokens: 6 };
      for (const one of drawn(params, seed)) expect(allowed).toContain(one);
      for (const one of drawn({ ...params, temperature: 0 }, seed)) expect(allowed).toContain(one);
    }),
    { numRuns: 50 },
  );
});

import { assert } from "@drover/core";
import type { ScoreStep } from "../step.ts";

const WORD_BITS = 32;
const ALL_SET = 0xffff_ffff;

/**
 * The grammar's mask: tokens that it does not allow can never be chosen, whatever the steps behind this one do. A bug
 * for a mask that is shorter than the vocabulary. Source: vLLM, apply_grammar_bitmask (v1/structured_output/utils.py),
 * with xgrammar's layout of bits.
 */
export const allowedTokens: ScoreStep = {
  needed: ({ allowed }) => allowed !== undefined,
  apply: (scores, { allowed }) => {
    if (allowed === undefined) return;
    assert(allowed.length * WORD_BITS >= scores.length, "a grammar's mask has a bit for every token");
    for (let first = 0; first < scores.length; first += WORD_BITS) {
      const word = allowed[first / WORD_BITS] ?? 0;
      if (word === ALL_SET) continue;
      const end = Math.min(scores.length, first + WORD_BITS);
      for (let id = first; id < end; id++)
        if (((word >>> (id - first)) & 1) === 0) scores[id] = Number.NEGATIVE_INFINITY;
    }
  },
};

/** Whether the mask allows a token that is none of these. */
export function allowsOtherThan(allowed: Uint32Array, tokenIds: readonly number[]): boolean {
  return allowed.some((word, i) => {
    for (let bits = word; bits !== 0; bits &= bits - 1) {
      const lowest = 31 - Math.clz32(bits & -bits);
      if (!tokenIds.includes(i * WORD_BITS + lowest)) return true;
    }
    return false;
  });
}

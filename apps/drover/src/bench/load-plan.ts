import { seededRandom } from "@drover/core";
import { beginTimes } from "./begin-times.ts";
import type { LoadLevel } from "./load-level.ts";
import { madeWords, type WordScale, wordsFor } from "./made-prompt.ts";
import type { RecordedRequest } from "./recorded-load.ts";
import { drawLength, type TokenLength } from "./token-length.ts";

/** A prompt's text and the longest answer to it. */
export type PlannedPrompt = Readonly<{ text: string; outputTokens: number }>;

/** A level's requests. Prompts are made when they are asked for: a long load holds no text. */
export type LoadPlan = Readonly<{
  /** When each request begins, in milliseconds behind the first. */
  beginMs: readonly number[];
  prompt(index: number): PlannedPrompt;
}>;

export type PlanSettings = Readonly<{
  count: number;
  input: TokenLength;
  output: TokenLength;
  prefixTokens: number;
  prefixGroups: number;
  scale: WordScale;
}>;

/** Spreads indices over seeds: 2^32 over the golden ratio. */
const SEED_STEP = 0x9e3779b1;
const seedOf = (seed: number, index: number): number => (seed + Math.imul(index + 1, SEED_STEP)) >>> 0;

/** The same for the same seed: prompts of drawn lengths, those of a group with the same beginning. */
export function madePlan(level: LoadLevel, settings: PlanSettings, seed: number): LoadPlan {
  const { count, input, output, prefixTokens, prefixGroups, scale } = settings;
  const beginMs = beginTimes(level, count, seededRandom(seed));
  return {
    beginMs,
    prompt: (index) => {
      const random = seededRandom(seedOf(seed, index));
      const tokens = drawLength(input, random);
      const shared = Math.min(wordsFor(prefixTokens, { ...scale, fixedTokens: 0 }), wordsFor(tokens, scale) - 1);
      // Groups keep their beginning over levels and rounds, as a system's message does: their seeds are not the level's.
      const parts = prefixTokens > 0 && shared > 0 ? [madeWords(shared, seedOf(0, index % prefixGroups))] : [];
      const own = wordsFor(tokens, scale) - (parts.length > 0 ? shared : 0);
      parts.push(madeWords(own, seedOf(seed, count + index)));
      return { text: parts.join(" "), outputTokens: drawLength(output, random) };
    },
  };
}

/** A trace's requests, `speed` times as fast and with `lengths` of its lengths; equal blocks have equal words. */
export function recordedPlan(
  requests: readonly RecordedRequest[],
  { speed, lengths, scale }: Readonly<{ speed: number; lengths: number; scale: WordScale }>,
  seed: number,
): LoadPlan {
  const [first] = requests;
  const firstMs = first?.atMs ?? 0;
  return {
    beginMs: requests.map(({ atMs }) => (atMs - firstMs) / speed),
    prompt: (index) => {
      const request = requests[index];
      if (request === undefined) throw new RangeError(`the trace has no request ${index}`);
      const words = wordsFor(Math.max(1, Math.round(request.inputTokens * lengths)), scale);
      const blocks = request.blocks.length === 0 ? [-1 - index] : request.blocks;
      const wordsEach = Math.ceil(words / blocks.length);
      const text = blocks
        .map((id, i) => madeWords(Math.min(wordsEach, words - i * wordsEach), seedOf(seed, id)))
        .filter((part) => part !== "")
        .join(" ");
      return { text, outputTokens: Math.max(1, Math.round(request.outputTokens * lengths)) };
    },
  };
}

import { readFileSync } from "node:fs";

/** What the reference says of one prompt: see the goldens' README. */
export type GoldenCase = Readonly<{
  name: string;
  input_ids: readonly number[];
  /** ln p of each token given those before it; null for the first. */
  prompt_logprobs: ReadonlyArray<number | null>;
  /** Likeliest tokens behind the prompt, with their ln p. */
  top: ReadonlyArray<readonly [id: number, logprob: number]>;
  greedy: readonly number[];
  /** Of each greedy step the lead of the best logit. */
  margins: readonly number[];
  router_margin: number;
  images?: readonly string[];
}>;

/** The cases of a file that are text alone and have at most so many tokens, the shortest first. */
export function textCases(file: string, tokensMax: number): GoldenCase[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as GoldenCase)
    .filter(({ images, input_ids }) => (images ?? []).length === 0 && input_ids.length <= tokensMax)
    .sort((a, b) => a.input_ids.length - b.input_ids.length);
}

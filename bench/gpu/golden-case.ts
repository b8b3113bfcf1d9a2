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
  /** Every tile that enters the vision encoder, in order: PNG files beside the goldens' file. */
  tiles?: readonly string[];
}>;

/** The cases of a file, those with pictures among them, that have at most so many tokens, the shortest first. */
export function goldenCases(file: string, tokensMax: number): GoldenCase[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as GoldenCase)
    .filter(({ input_ids }) => input_ids.length <= tokensMax)
    .sort((a, b) => a.input_ids.length - b.input_ids.length);
}

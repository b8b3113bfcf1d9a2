/** How one request's tokens are chosen. The router has validated every range; the worker asserts them. */
export type SamplingParams = Readonly<{
  /** 0 is greedy. */
  temperature: number;
  /** (0, 1]; 1 is off. */
  topP: number;
  /** 0 is off. */
  topK: number;
  /** [0, 1]; 0 is off. */
  minP: number;
  /** Divides positive and multiplies negative logits of tokens seen in prompt or output; 1 is off. */
  repetitionPenalty: number;
  /** Subtracted once from the logit of every token in the output; 0 is off. */
  presencePenalty: number;
  /** Subtracted for each time a token is in the output; 0 is off. */
  frequencyPenalty: number;
  /** Added to logits before everything else. */
  logitBias: ReadonlyArray<readonly [tokenId: number, bias: number]>;
  /** Tokens that may not follow one another: each one's last is never chosen behind the others, which are the output's end. */
  bannedSequences: ReadonlyArray<readonly number[]>;
  /** The only tokens that may be chosen; empty: every one. */
  allowedTokenIds: readonly number[];
  /** Unsigned 53-bit. A draw is a pure function of (seed, choice, token index). */
  seed: number;
  /** Choices: independent continuations of one prompt. */
  n: number;
  maxTokens: number;
  /** No end token before this many tokens. */
  minTokens: number;
  /** The model's end tokens and the request's own `stop_token_ids`; with `ignore_eos` only the latter. */
  stopTokenIds: readonly number[];
  /** Log-probabilities of generated tokens: -1 none, 0 the chosen token's, k also the k likeliest. Of the raw logits. */
  topLogprobs: number;
  /** Same for the prompt's own tokens; -1 none. */
  promptTopLogprobs: number;
  /** Report the expert of each MoE layer for every token computed. */
  routedExperts: boolean;
}>;

/** Plain greedy: one choice, nothing adjusted, nothing reported, no end before `maxTokens`. What a test or a benchmark varies it spreads over this. */
export const greedyParams = (maxTokens: number): SamplingParams => ({
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
  bannedSequences: [],
  allowedTokenIds: [],
  seed: 1,
  n: 1,
  maxTokens,
  minTokens: 0,
  stopTokenIds: [],
  topLogprobs: -1,
  promptTopLogprobs: -1,
  routedExperts: false,
});

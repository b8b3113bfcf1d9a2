import type { RankedToken } from "@drover/core";

/** A token's log-probability and the likeliest at its place. Undefined for the prompt's first token, which nothing predicts. */
export type TokenLogprob = Readonly<{ tokenId: number; logprob: number | undefined; top: readonly RankedToken[] }>;

/** Why a choice ended. */
export type FinishReason = "stop" | "length" | "tool_calls";

/** A whole call. `arguments` is a JSON object; `index` counts the choice's calls. */
export type ToolCall = Readonly<{ id: string; index: number; name: string; arguments: string }>;

type PromptOutput = Readonly<{
  kind: "prompt";
  /** Which of the request's prompts. */
  prompt: number;
  logprobs: readonly TokenLogprob[];
  /** For each prompt token, the expert of each MoE layer. */
  experts: readonly number[][];
}>;

export type TokenOutput = Readonly<{
  kind: "token";
  /** Counted through all prompts. */
  choice: number;
  tokenId: number;
  /** Complete characters only; often empty. */
  text: string;
  /** Calls that are whole with this token. */
  toolCalls: readonly ToolCall[];
  logprob: TokenLogprob | undefined;
  /** Code points of the choice's text before the token's own, what is held back included; 0 without log-probabilities. */
  textOffset: number;
  /** Of the choice's tokens in their order, so many more have text among what was given by now; 0 without log-probabilities. */
  shownCount: number;
  experts: number[] | undefined;
  finish: FinishReason | undefined;
  /** The stop string that ended the choice. */
  stopString?: string | undefined;
}>;

/** What a running request gives to whoever writes the reply. */
export type Output = PromptOutput | TokenOutput | Readonly<{ kind: "end"; cachedTokenCount: number }>;

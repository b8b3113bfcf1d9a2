import type { RankedToken } from "@drover/core";

/** A token's log-probability and the likeliest at its place. Undefined for the prompt's first token, which nothing predicts. */
export type TokenLogprob = Readonly<{ tokenId: number; logprob: number | undefined; top: readonly RankedToken[] }>;

/** Why a choice ended. */
export type FinishReason = "stop" | "length" | "tool_calls";

/** A whole call. `arguments` is a JSON object; `index` counts the choice's calls. */
export type ToolCall = Readonly<{ id: string; index: number; name: string; arguments: string }>;

type PromptOutput = Readonly<{
  kind: "prompt";
  logprobs: readonly TokenLogprob[];
  /** For each prompt token, the expert of each MoE layer. */
  experts: readonly number[][];
}>;

export type TokenOutput = Readonly<{
  kind: "token";
  choice: number;
  tokenId: number;
  /** Complete characters only; often empty. */
  text: string;
  /** Calls that are whole with this token. */
  toolCalls: readonly ToolCall[];
  logprob: TokenLogprob | undefined;
  experts: number[] | undefined;
  finish: FinishReason | undefined;
  /** The stop string that ended the choice. */
  stopString?: string | undefined;
}>;

/** What a running request gives to whoever writes the reply. */
export type Output = PromptOutput | TokenOutput | Readonly<{ kind: "end"; cachedTokenCount: number }>;

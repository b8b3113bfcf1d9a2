import type { InferenceRequest, ReplyOptions } from "./inference-request.ts";
import type { Output } from "./output.ts";
import type { ServedModel } from "./served-model.ts";

/** What every part of one reply carries. */
export type ReplyFrame = Readonly<{
  id: string;
  /** Unix seconds. */
  created: number;
  model: ServedModel;
  request: InferenceRequest;
  options: ReplyOptions;
}>;

/** Writes a streamed reply: outputs in, server-sent events out. */
export interface ReplyStream {
  /** The text of the events, often empty. */
  push(output: Output): string;
}

export function usage(promptTokens: number, completionTokens: number, cachedTokens: number) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

export const DONE_EVENT = "data: [DONE]\n\n";

export function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

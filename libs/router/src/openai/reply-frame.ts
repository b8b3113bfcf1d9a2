import type { ServedModel } from "../served-model.ts";
import type { InferenceRequest, ReplyOptions } from "./inference-request.ts";
import type { Output } from "./output.ts";

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

const DONE_EVENT = "data: [DONE]\n\n";

export function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** The end of every complete stream: the usage where it was asked for, then the end mark. `object` is the dialect's name of a chunk. */
export function closingEvents(frame: ReplyFrame, object: string, tokenCount: number, cachedTokenCount: number): string {
  const { id, created, model, request, options } = frame;
  if (!options.includeUsage) return DONE_EVENT;
  const counts = usage(request.promptTokenIds.length, tokenCount, cachedTokenCount);
  return event({ id, object, created, model: model.modelId, choices: [], usage: counts }) + DONE_EVENT;
}

import { at } from "@drover/core";
import { Answer, type GenerationEndpoint, type KeptResponse, type ReplyFrame } from "@drover/openai";
import type { GenerationBatch } from "./generation-batch.ts";
import type { Inference, Running } from "./inference.ts";
import type { KeptResponses } from "./kept-responses.ts";

/** What every part of a running request's reply carries; `createdS` where it was begun earlier, Unix seconds. */
export function replyFrame(
  endpoint: GenerationEndpoint,
  inference: Inference,
  { options, batch }: Running,
  createdS = Math.floor(inference.clock.now() / 1000),
): ReplyFrame {
  const { requests } = batch;
  return {
    id: endpoint.idPrefix + batch.replyId,
    created: createdS,
    model: inference.model,
    request: at(requests, 0),
    requests,
    options,
  };
}

/** A running request's reply, whole, and kept for its owner where its client wants that. Errors: what ended the request. */
export async function wholeAnswer(
  endpoint: GenerationEndpoint,
  frame: ReplyFrame,
  batch: GenerationBatch,
  { responses, owner }: Readonly<{ responses: KeptResponses; owner: string }>,
  signal: AbortSignal,
): Promise<unknown> {
  const answer = await Answer.collect(batch.outputs(), frame.requests.length, frame.request.sampling.n);
  return wholeBody(endpoint, frame, answer, (kept) => responses.keep(owner, frame.id, kept, signal));
}

/** The body of a whole answer, which is kept where its client wants that. */
export async function wholeBody(
  endpoint: GenerationEndpoint,
  frame: ReplyFrame,
  answer: Answer,
  keep: (kept: KeptResponse) => Promise<void>,
): Promise<unknown> {
  const { body, kept } = endpoint.whole(frame, answer);
  if (kept !== undefined) await keep(kept);
  return body;
}

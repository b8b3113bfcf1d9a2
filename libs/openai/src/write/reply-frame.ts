import type { DroverError } from "@drover/core";
import type { Tokenizer } from "@drover/tokenizer";
import { Type } from "typebox";
import type { ReplyOptions } from "../request/generation-query.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { KeptResponse } from "../responses/kept-response.ts";
import type { Output } from "../text/output.ts";
import { errorReply, publicError } from "./error.ts";
import { usage } from "./usage.ts";

/** What every part of one reply carries. */
export type ReplyFrame = Readonly<{
  id: string;
  /** Unix seconds. */
  created: number;
  model: Readonly<{ modelId: string; tokenizer: Tokenizer }>;
  request: InferenceRequest;
  options: ReplyOptions;
}>;

/** The fields of a reply's frame that clients see. */
export const frameFields = {
  id: Type.String({ description: "Names the request, also for `GET /debug/placement`." }),
  created: Type.Integer({ description: "Unix seconds." }),
  model: Type.String(),
};

/** Writes a streamed reply: outputs in, server-sent events out. */
export interface ReplyStream {
  /** The text of the events, often empty. */
  push(output: Output): string;
  /** The text of the event that tells what ended the reply, once it has begun. */
  fail(error: DroverError): string;
  /** What is kept of the reply, once it has ended, for requests that go on with it. */
  readonly kept?: KeptResponse | undefined;
}

const DONE_EVENT = "data: [DONE]\n\n";

/** One server-sent event. */
export function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** The event that tells what ended a stream. */
export function errorEvent(error: DroverError): string {
  return event(errorReply(publicError(error)));
}

/** One server-sent event that has a name, which its data say as well. */
export function namedEvent(value: Readonly<{ type: string } & Record<string, unknown>>): string {
  return `event: ${value.type}\n${event(value)}`;
}

/** The end of every complete stream: the usage where it was asked for, then the end mark. `object` is the dialect's name of a chunk. */
export function closingEvents(frame: ReplyFrame, object: string, tokenCount: number, cachedTokenCount: number): string {
  const { id, created, model, request, options } = frame;
  if (!options.includeUsage) return DONE_EVENT;
  const counts = usage(request.promptTokenIds.length, tokenCount, cachedTokenCount);
  return event({ id, object, created, model: model.modelId, choices: [], usage: counts }) + DONE_EVENT;
}

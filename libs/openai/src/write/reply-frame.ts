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
  /** What is answered, of the first prompt; the others' differ in their prompt and the seed that was drawn, and in nothing that a reply tells. */
  request: InferenceRequest;
  /** Of all prompts, in their order. */
  requests: readonly InferenceRequest[];
  options: ReplyOptions;
}>;

/** The fields of a reply's frame that clients see. */
export const frameFields = {
  id: Type.String({ description: "Names the request, also for `GET /debug/placement`." }),
  created: Type.Integer({ description: "Unix seconds." }),
  model: Type.String(),
};

/** Tokens of all prompts. */
export function promptTokenCount({ requests }: Pick<ReplyFrame, "requests">): number {
  return requests.reduce((sum, { promptTokenIds }) => sum + promptTokenIds.length, 0);
}

/** Writes a streamed reply: outputs in, server-sent events out. */
export interface ReplyStream {
  /**
   * What is due before an output is pushed where that may be much, such as what is known of the prompt: texts of whole events in pieces, made one
   * after the other; undefined where nothing is. What is not asked for comes with the output.
   */
  opening?(output: Output): Iterable<string> | undefined;
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
  return `data: ${eventJson(value)}\n\n`;
}

/** What some reader of lines takes for the end of one, and JSON.stringify leaves as it is. Source: Python's str.splitlines. */
const LINE_ENDS = /[\u0085\u2028\u2029]/;
const ALL_LINE_ENDS = new RegExp(LINE_ENDS, "g");

/** JSON that every client reads as one line. */
export function eventJson(value: unknown): string {
  return oneLine(JSON.stringify(value));
}

/** JSON, or a piece of it, without what some reader takes for the end of a line. */
export function oneLine(json: string): string {
  if (!LINE_ENDS.test(json)) return json;
  return json.replace(ALL_LINE_ENDS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
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
  const { id, created, model, options } = frame;
  if (!options.includeUsage) return DONE_EVENT;
  const counts = usage(promptTokenCount(frame), tokenCount, cachedTokenCount);
  return event({ id, object, created, model: model.modelId, choices: [], usage: counts }) + DONE_EVENT;
}

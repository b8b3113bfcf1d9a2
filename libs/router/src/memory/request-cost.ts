import type { GenerationQuery, InferenceRequest } from "@drover/openai";
import {
  ANSWER_TOKENS_ASKED,
  ANSWER_TOKENS_UNASKED,
  REQUEST_BYTES,
  STREAM_TOKEN_BYTES,
  TOKEN_LOGPROB_BYTES,
  TOKEN_TEXT_BYTES,
  TOP_LOGPROB_BYTES,
  WHOLE_TOKEN_BYTES,
} from "../limits.ts";

/** Of a prompt's chain of hashes, rounded up: 16 bytes of 64 tokens. */
const HASH_BYTES_A_TOKEN = 1;

/** Bytes that a tokenized request keeps while it waits and runs: its ids and their hashes, its texts, and what it is besides. */
export function promptBytes({ promptTokenIds, echoText, constraint, stop, sampling }: InferenceRequest): number {
  const texts = [echoText ?? "", constraint?.grammar ?? "", ...stop].reduce((sum, { length }) => sum + 2 * length, 0);
  const ids = sampling.bannedSequences.reduce((sum, { length }) => sum + length, 0) + sampling.allowedTokenIds.length;
  return (
    REQUEST_BYTES + promptTokenIds.length * (promptTokenIds.BYTES_PER_ELEMENT + HASH_BYTES_A_TOKEN) + texts + 8 * ids
  );
}

/** Bytes that a token of an answer takes, and besides them a character of its text. */
export type AnswerCost = Readonly<{ tokenBytes: number; characterBytes: number }>;

type Reading = Pick<GenerationQuery, "budget" | "reply">;

/** Of an answer that is gathered all stays until it is whole; of one that is streamed its tokens' ids, which another worker would need. */
export function answerCost(
  { sampling }: Pick<InferenceRequest, "sampling">,
  { reply }: Pick<Reading, "reply">,
): AnswerCost {
  if (reply.stream) return { tokenBytes: STREAM_TOKEN_BYTES, characterBytes: 0 };
  return { tokenBytes: WHOLE_TOKEN_BYTES + logprobBytes(sampling.topLogprobs), characterBytes: 2 };
}

/**
 * Bytes that are a request's answer's own before it is queued: of the tokens that its client asks for, ANSWER_TOKENS_ASKED of each choice at most, or, where the client
 * does not say, of ANSWER_TOKENS_UNASKED of each. A text of more than TOKEN_TEXT_BYTES a token, experts, and tokens beyond have what room there is.
 */
export function answerBytes(request: InferenceRequest, query: Reading): number {
  const { n, maxTokens } = request.sampling;
  const { reply, budget } = query;
  const count = Math.min(maxTokens, budget.asked === undefined ? ANSWER_TOKENS_UNASKED : ANSWER_TOKENS_ASKED);
  const token = answerCost(request, query).tokenBytes + (reply.stream ? 0 : TOKEN_TEXT_BYTES);
  return n * count * token;
}

/** Bytes that what is told of a request's prompt takes, its experts aside. */
export const promptFactBytes = ({ sampling, promptTokenIds }: InferenceRequest): number =>
  promptTokenIds.length * logprobBytes(sampling.promptTopLogprobs);

/** Of one token; -1 for none. */
const logprobBytes = (top: number): number => (top < 0 ? 0 : TOKEN_LOGPROB_BYTES + top * TOP_LOGPROB_BYTES);

import {
  assert,
  DroverError,
  type RequestId,
  type RouterId,
  requestId,
  routerId,
  type SamplingParams,
} from "@drover/core";
import type { GenerationRequest } from "@drover/proto";

/** One choice as the attempt begins it: what the client already has. */
type DeliveredTokens = Readonly<{ tokenIds: readonly number[]; finished: boolean }>;

/** A request as the engine works on it. */
export type GenerationTask = Readonly<{
  requestId: RequestId;
  routerId: RouterId;
  attempt: number;
  promptTokenIds: readonly number[];
  params: SamplingParams;
  delivered: readonly DeliveredTokens[];
  deadlineMs: number;
}>;

/** Reads a queue job's payload. Errors: `invalid_argument` for what the model cannot compute. */
export function taskOf(request: GenerationRequest, attempt: number, vocabSize: number): GenerationTask {
  const { sampling } = request;
  if (sampling === undefined || request.promptTokenIds.length === 0) {
    throw new DroverError("invalid_argument", "a generation request has a prompt and sampling parameters");
  }
  if (request.promptTokenIds.some((id) => id >= vocabSize)) {
    throw new DroverError("invalid_argument", `a token id is outside the vocabulary of ${vocabSize}`, {
      field: "prompt",
    });
  }
  const params: SamplingParams = {
    temperature: sampling.temperature,
    topP: sampling.topP,
    topK: sampling.topK,
    minP: sampling.minP,
    repetitionPenalty: sampling.repetitionPenalty,
    presencePenalty: sampling.presencePenalty,
    frequencyPenalty: sampling.frequencyPenalty,
    logitBias: sampling.logitBiasIds.map((id, i) => [id, sampling.logitBiasValues[i] ?? 0]),
    seed: Number(sampling.seed),
    n: sampling.n,
    maxTokens: sampling.maxTokens,
    minTokens: sampling.minTokens,
    stopTokenIds: sampling.stopTokenIds,
    topLogprobs: sampling.topLogprobs,
    promptTopLogprobs: sampling.promptTopLogprobs,
    routedExperts: sampling.routedExperts,
  };
  assert(params.n > 0, "a request has at least one choice");
  const delivered = Array.from({ length: params.n }, (_, choice) => {
    const sent = request.delivered[choice];
    return { tokenIds: sent?.tokenIds ?? [], finished: sent?.finished ?? false };
  });
  return {
    requestId: requestId(request.requestId),
    routerId: routerId(request.routerId),
    attempt,
    promptTokenIds: request.promptTokenIds,
    params,
    delivered,
    deadlineMs: Number(request.deadlineMs),
  };
}

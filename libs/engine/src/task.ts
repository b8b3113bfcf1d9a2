import {
  assert,
  DroverError,
  type PromptImage,
  type RequestId,
  type RouterId,
  requestId,
  routerId,
  type SamplingParams,
  type TraceSpan,
} from "@drover/core";
import type { GenerationRequest, PromptImage as WireImage } from "@drover/proto";

/** One choice as the attempt begins it: what the client already has. */
type DeliveredTokens = Readonly<{ tokenIds: readonly number[]; finished: boolean }>;

/** A request as the engine works on it. */
export type GenerationTask = Readonly<{
  requestId: RequestId;
  routerId: RouterId;
  attempt: number;
  promptTokenIds: Uint32Array;
  images: readonly PromptImage[];
  /** The chain over the prompt's whole blocks, as its router computed it; empty when it did not. */
  blockHashes: Uint8Array;
  params: SamplingParams;
  delivered: readonly DeliveredTokens[];
  deadlineMs: number;
  /** The span of this attempt, where the request is traced. */
  trace?: TraceSpan | undefined;
}>;

/** Reads a queue job's payload. Errors: `invalid_argument` for what the model cannot compute. */
export function taskOf(request: GenerationRequest, attempt: number, vocabSize: number): GenerationTask {
  const { sampling } = request;
  if (sampling === undefined || request.promptTokenIds.byteLength === 0) {
    throw new DroverError("invalid_argument", "a generation request has a prompt and sampling parameters");
  }
  const promptTokenIds = readIds(request.promptTokenIds);
  if (promptTokenIds.some((id) => id >= vocabSize)) {
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
    promptTokenIds,
    blockHashes: new Uint8Array(request.blockHashes),
    images: request.images.map((image) => imageOf(image, promptTokenIds.length)),
    params,
    delivered,
    deadlineMs: Number(request.deadlineMs),
  };
}

/** A copy: the message's bytes may start anywhere. */
function readIds(bytes: Uint8Array): Uint32Array {
  const { buffer } = new Uint8Array(bytes);
  return new Uint32Array(buffer, 0, Math.floor(bytes.byteLength / Uint32Array.BYTES_PER_ELEMENT));
}

function imageOf({ contentHash, runStarts, runCounts, holder }: WireImage, promptLength: number): PromptImage {
  const runs = runStarts.map((start, i) => ({ start, count: runCounts[i] ?? 0 }));
  if (runs.some(({ start, count }) => start + count > promptLength)) {
    throw new DroverError("invalid_argument", "an image stands outside its prompt", { field: "images" });
  }
  if (contentHash.byteLength !== 32)
    throw new DroverError("invalid_argument", "an image is named by a SHA-256", { field: "images" });
  return { contentHash: Buffer.from(contentHash).toString("hex"), runs, holder };
}

import { create, toBinary } from "@bufbuild/protobuf";
import type { ModelId, PromptImage, RequestId, RouterId, TraceContext } from "@drover/core";
import { GenerationRequestSchema, type TopLogprobs } from "@drover/proto";
import type { InferenceRequest } from "../openai/inference-request.ts";
import type { RankedToken } from "../openai/output.ts";
import type { RequestState } from "../requests/request-state.ts";

type Names = Readonly<{
  requestId: RequestId;
  modelId: ModelId;
  routerId: RouterId;
  deadlineMs: number;
  trace?: TraceContext | undefined;
}>;

/** The payload of a job: the request, where its images' features are, and what its client already has. */
export function encodeGenerationRequest(
  names: Names,
  request: InferenceRequest,
  images: readonly PromptImage[],
  blockHashes: Uint8Array,
  state: RequestState,
): Uint8Array {
  const { sampling } = request;
  return toBinary(
    GenerationRequestSchema,
    create(GenerationRequestSchema, {
      requestId: names.requestId,
      modelId: names.modelId,
      routerId: names.routerId,
      deadlineMs: BigInt(names.deadlineMs),
      ...names.trace,
      promptTokenIds: idBytes(request.promptTokenIds),
      sampling: {
        temperature: sampling.temperature,
        topP: sampling.topP,
        topK: sampling.topK,
        minP: sampling.minP,
        repetitionPenalty: sampling.repetitionPenalty,
        presencePenalty: sampling.presencePenalty,
        frequencyPenalty: sampling.frequencyPenalty,
        logitBiasIds: sampling.logitBias.map(([id]) => id),
        logitBiasValues: sampling.logitBias.map(([, bias]) => bias),
        seed: BigInt(sampling.seed),
        n: sampling.n,
        maxTokens: sampling.maxTokens,
        minTokens: sampling.minTokens,
        stopTokenIds: [...sampling.stopTokenIds],
        topLogprobs: sampling.topLogprobs,
        promptTopLogprobs: sampling.promptTopLogprobs,
        routedExperts: sampling.routedExperts,
      },
      images: images.map(({ contentHash, runs, holder }) => ({
        contentHash: Buffer.from(contentHash, "hex"),
        runStarts: runs.map(({ start }) => start),
        runCounts: runs.map(({ count }) => count),
        holder,
      })),
      blockHashes,
      delivered:
        state.attemptBase === 0
          ? []
          : state.choices.map(({ tokenIds, finished }) => ({ tokenIds: [...tokenIds], finished })),
    }),
  );
}

function idBytes(ids: Uint32Array): Uint8Array {
  return new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
}

/** Rows of u16 little-endian, [rowCount, layers]. */
export function decodeExperts(bytes: Uint8Array, rowCount: number): number[][] {
  const layerCount = rowCount === 0 ? 0 : Math.floor(bytes.byteLength / 2 / rowCount);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: rowCount }, (_, row) =>
    Array.from({ length: layerCount }, (_, layer) => view.getUint16((row * layerCount + layer) * 2, true)),
  );
}

export function decodeTop(top: TopLogprobs | undefined): RankedToken[] {
  return (top?.tokenIds ?? []).map((tokenId, i) => ({
    tokenId,
    logprob: top?.logprobs[i] ?? Number.NEGATIVE_INFINITY,
  }));
}

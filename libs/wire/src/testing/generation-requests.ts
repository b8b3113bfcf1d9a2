import type { DeliveredChoice, GenerationRequest, PromptImage, SamplingParams } from "@drover/core";
import fc from "fast-check";
import { aModelId, aRequestId, aRouterId, f64, hashes, tenantShare, trace, u32, u53 } from "./values.ts";

export const samplingParams = (
  n: fc.Arbitrary<number> = fc.integer({ min: 1, max: 8 }),
): fc.Arbitrary<SamplingParams> =>
  fc.record({
    temperature: f64,
    topP: f64,
    topK: u32,
    minP: f64,
    repetitionPenalty: f64,
    presencePenalty: f64,
    frequencyPenalty: f64,
    logitBias: fc.array(fc.tuple(u32, f64), { maxLength: 5 }),
    bannedSequences: fc.array(fc.array(u32, { maxLength: 3 }), { maxLength: 2 }),
    allowedTokenIds: fc.array(u32, { maxLength: 3 }),
    seed: u53,
    n,
    maxTokens: u32,
    minTokens: u32,
    stopTokenIds: fc.array(u32, { maxLength: 5 }),
    topLogprobs: fc.integer({ min: -1, max: 20 }),
    promptTopLogprobs: fc.integer({ min: -1, max: 20 }),
    routedExperts: fc.boolean(),
  });

const delivered: fc.Arbitrary<DeliveredChoice> = fc.record({
  tokenIds: fc.array(u32, { maxLength: 5 }),
  finished: fc.boolean(),
});

const contentHash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((hash) => Buffer.from(hash).toString("hex"));

const promptImage = (promptLength: number): fc.Arbitrary<PromptImage> =>
  fc.record({
    contentHash,
    runs: fc.array(
      fc
        .nat(promptLength)
        .chain((start) => fc.record({ start: fc.constant(start), count: fc.nat(promptLength - start) })),
      { maxLength: 3 },
    ),
    holder: fc.string(),
  });

export const generationRequest: fc.Arbitrary<GenerationRequest> = fc
  .record({ n: fc.integer({ min: 1, max: 4 }), promptTokenIds: fc.uint32Array({ minLength: 1, maxLength: 20 }) })
  .chain(({ n, promptTokenIds }) =>
    fc.record(
      {
        requestId: aRequestId,
        modelId: aModelId,
        routerId: aRouterId,
        promptTokenIds: fc.constant(promptTokenIds),
        images: fc.array(promptImage(promptTokenIds.length), { maxLength: 3 }),
        blockHashes: hashes,
        params: samplingParams(fc.constant(n)),
        delivered: fc.array(delivered, { minLength: n, maxLength: n }),
        deadlineMs: u53,
        grammar: fc.string({ minLength: 1 }),
        trace,
        tenant: tenantShare,
      },
      {
        requiredKeys: [
          "requestId",
          "modelId",
          "routerId",
          "promptTokenIds",
          "images",
          "blockHashes",
          "params",
          "delivered",
          "deadlineMs",
        ],
      },
    ),
  );

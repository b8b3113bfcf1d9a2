import {
  type DeliveredChoice,
  ERROR_CODES,
  type ErrorCode,
  type GenerationEvent,
  type GenerationRequest,
  modelId,
  type PromptImage,
  type RankedToken,
  type RequestEvent,
  type Resume,
  requestId,
  routerId,
  type SamplingParams,
  type TraceContext,
} from "@drover/core";
import fc from "fast-check";
import type { RouterMessage } from "../router-message.ts";
import type { WorkerMessage } from "../worker-message.ts";

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@/-]{0,20}$/);
const u32 = fc.nat(2 ** 32 - 1);
const u53 = fc.nat(Number.MAX_SAFE_INTEGER);
const hashes = fc.array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { maxLength: 4 }).map((all) => {
  return Uint8Array.from(all.flatMap((hash) => [...hash]));
});
/** Numbers that are the same number when they come back from 32 and 64 bits; there is no -0 in what is said. */
const f32 = fc.float({ noNaN: true }).map((value) => value + 0);
const f64 = fc.double({ noNaN: true }).map((value) => value + 0);

const trace: fc.Arbitrary<TraceContext> = fc.record({
  traceparent: fc.string({ minLength: 1 }),
  tracestate: fc.string(),
});

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
        requestId: name.map(requestId),
        modelId: name.map(modelId),
        routerId: name.map(routerId),
        promptTokenIds: fc.constant(promptTokenIds),
        images: fc.array(promptImage(promptTokenIds.length), { maxLength: 3 }),
        blockHashes: hashes,
        params: samplingParams(fc.constant(n)),
        delivered: fc.array(delivered, { minLength: n, maxLength: n }),
        deadlineMs: u53,
        trace,
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

const rankedTokens: fc.Arbitrary<RankedToken[]> = fc.array(fc.record({ tokenId: u32, logprob: f32 }), { maxLength: 5 });
const errorCode = fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[]));

const perPosition = <T>(value: fc.Arbitrary<T>, count: number) =>
  fc.oneof(fc.constant<T[]>([]), fc.array(value, { minLength: count, maxLength: count }));

const promptEvent = fc.record({ count: fc.integer({ min: 1, max: 5 }), layers: fc.nat(3) }).chain(({ count, layers }) =>
  fc.record({
    kind: fc.constant("prompt" as const),
    start: u32,
    count: fc.constant(count),
    logprobs: perPosition(f32, count),
    tops: perPosition(rankedTokens, count),
    experts: fc.uint16Array({ minLength: count * layers, maxLength: count * layers }),
  }),
);

const generationEvent: fc.Arbitrary<GenerationEvent> = fc.oneof(
  fc.record({ kind: fc.constant("started" as const), startIndices: fc.array(u32, { maxLength: 4 }) }),
  promptEvent,
  fc.record({
    kind: fc.constant("token" as const),
    choice: u32,
    index: u32,
    tokenId: u32,
    logprob: f32,
    top: rankedTokens,
    experts: fc.uint16Array({ maxLength: 8 }),
    finish: fc.constantFrom("stop", "length", undefined),
  }),
  fc.record({
    kind: fc.constant("failed" as const),
    code: errorCode,
    message: fc.string(),
    retryable: fc.boolean(),
    handedBack: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("done" as const), cachedTokenCount: u32 }),
);

export const requestEvent: fc.Arbitrary<RequestEvent> = fc.record({
  requestId: name.map(requestId),
  attempt: u32,
  event: generationEvent,
});

const resume: fc.Arbitrary<Resume> = fc.record({
  requestId: name.map(requestId),
  attempt: u32,
  nextIndices: fc.array(u32, { maxLength: 4 }),
  nextPromptPosition: u32,
  started: fc.boolean(),
});

export const routerMessage: fc.Arbitrary<RouterMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("hello" as const),
    routerId: name.map(routerId),
    modelId: fc.string(),
    resumes: fc.array(resume, { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("cancel" as const), requestId: name.map(requestId), attempt: u32 }),
);

export const workerMessage: fc.Arbitrary<WorkerMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("hello" as const),
    workerId: fc.string(),
    incarnation: fc.string(),
    modelId: fc.string(),
  }),
  fc.record({ kind: fc.constant("step" as const), events: fc.array(requestEvent, { maxLength: 4 }) }),
  fc.record({ kind: fc.constant("farewell" as const) }),
);

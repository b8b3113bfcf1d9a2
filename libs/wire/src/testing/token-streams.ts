import type { GenerationEvent, RankedToken, RequestEvent, Resume } from "@drover/core";
import fc from "fast-check";
import { TOKEN_SLOTS_MAX } from "../limits.ts";
import type { RouterMessage } from "../router-message.ts";
import type { WorkerMessage } from "../worker-message.ts";
import { aRequestId, aRouterId, errorCode, f32, u32 } from "./values.ts";

const rankedTokens: fc.Arbitrary<RankedToken[]> = fc.array(fc.record({ tokenId: u32, logprob: f32 }), { maxLength: 5 });

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
  requestId: aRequestId,
  attempt: u32,
  event: generationEvent,
});

const resume: fc.Arbitrary<Resume> = fc.record({
  requestId: aRequestId,
  attempt: u32,
  nextIndices: fc.array(u32, { maxLength: 4 }),
  nextPromptPosition: u32,
  started: fc.boolean(),
});

export const routerMessage: fc.Arbitrary<RouterMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("hello" as const),
    routerId: aRouterId,
    modelId: fc.string(),
    resumes: fc.array(resume, { maxLength: 3 }),
    tokenColumns: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("cancel" as const), requestId: aRequestId, attempt: u32 }),
  fc.record({ kind: fc.constant("asks" as const), resumes: fc.array(resume, { maxLength: 3 }) }),
);

/** As many of each as there are tokens, or none where the column may be left out. */
const columns = (count: number) => {
  const of = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: count, maxLength: count });
  return fc.record({
    attempts: fc.array(fc.record({ slot: fc.nat(TOKEN_SLOTS_MAX - 1), requestId: aRequestId, attempt: u32 }), {
      maxLength: 3,
    }),
    slots: of(u32),
    choices: fc.oneof(fc.constant([]), of(u32)),
    indices: of(u32),
    tokenIds: of(u32),
    finishes: fc.oneof(fc.constant([]), of(fc.constantFrom("stop" as const, "length" as const, undefined))),
  });
};

export const workerMessage: fc.Arbitrary<WorkerMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("hello" as const),
    workerId: fc.string(),
    incarnation: fc.string(),
    modelId: fc.string(),
  }),
  fc.record({
    kind: fc.constant("step" as const),
    events: fc.array(requestEvent, { maxLength: 4 }),
    tokens: fc.oneof(fc.constant(undefined), fc.nat(5).chain(columns)),
    ends: fc.array(requestEvent, { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant("farewell" as const) }),
);

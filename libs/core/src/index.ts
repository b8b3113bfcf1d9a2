// Three kinds of failure: a bug crashes, a fault has a code of one table, and a refusal is a value.

export { AssertionError, assert, assertNever, crashOnFailedAssertion, isFailedAssertion } from "./assert.ts";
export { at } from "./at.ts";
export { DroverError, ERROR_CODES, type ErrorCode, errorCode, toDroverError } from "./errors.ts";
export { NO_FILE, readFault } from "./read-fault.ts";
export { type TupleOf, tupleOf } from "./tuple.ts";

// Time, chance that repeats, and who waits no longer.

export { type Clock, systemClock } from "./clock.ts";
export { restOfPeriod } from "./period.ts";
export { seededRandom } from "./seeded-random.ts";
export { neverAborted, type TimeLimit, untilAborted, whenAborted, withTimeout } from "./signals.ts";
export { sleepUnlessAborted, Wakeup } from "./wakeup.ts";

// What every process speaks of: ids, roles, and what a client asks for and is told.

export type { DeliveredChoice, GenerationRequest } from "./generation-request.ts";
export {
  type ModelId,
  modelId,
  type RequestId,
  type RouterId,
  requestId,
  routerId,
  servedModelId,
  type WorkerId,
  workerId,
} from "./ids.ts";
export type {
  FinishReason,
  GenerationEvent,
  PromptEvent,
  RankedToken,
  RequestEvent,
  Resume,
  TokenEvent,
} from "./request-event.ts";
export { greedyParams, type SamplingParams } from "./sampling-params.ts";
export { WORKER_ROLES, type WorkerRole } from "./worker-role.ts";

// Where a replicated queue is.

export { parseSentinelUrl, type SentinelUrl } from "./sentinel-url.ts";

// Ports of the cluster: what waits, who leads.

export type { LeaderGrant, LeaderLease } from "./ports/leader-lease.ts";
export {
  ATTEMPT_STRIDE,
  type JobLease,
  type JobName,
  type JobPayload,
  LANES,
  type Lane,
  type LaneDepth,
  type PayloadStore,
  type PutCondition,
  type QueueConsumer,
  type QueueJob,
  type QueueProducer,
} from "./ports/queue.ts";

// Ports of a worker: the store of sequences, the executor of a step, experts, old rows, pictures.

export { CARD_KV_DTYPES, HOST_KV_DTYPES, type HostKvDtype, KV_DTYPES, type KvDtype } from "./kv-dtype.ts";
export { MEMBER_HEADER } from "./member-header.ts";
export type {
  AttendCall,
  AttendedPart,
  ContextHolder,
  ContextStorage,
  SegmentKeeping,
  SegmentName,
  SegmentRows,
  SegmentTransfer,
  StripeQuery,
  TakenSegments,
  WantedSegment,
} from "./ports/context-holder.ts";
export type { ExchangeRequest, ExchangeResult, ExpertExchange, ExpertRunner } from "./ports/expert-exchange.ts";
export {
  type FeatureSource,
  type ImageGrid,
  type ImageProcessor,
  type ImageTiles,
  type PatchRun,
  type PromptImage,
  tileCountOf,
} from "./ports/images.ts";
export type { RowLink, RowLinkAnswers, RowLinks, SharedRoom } from "./ports/row-links.ts";
export type { KvSequence, KvUse, SequencePrompt, SequenceStore } from "./ports/sequence-store.ts";
export type {
  DrawHistory,
  DrawnToken,
  EmbeddingRun,
  EntryResult,
  PendingStep,
  PromptQuery,
  RowLogprobs,
  Step,
  StepEntry,
  StepResult,
  StepRunner,
  StepTimes,
  TokenDraw,
} from "./ports/step-runner.ts";
export { type MaskCursor, type MaskRequest, noMasks, type TokenMasks } from "./ports/token-masks.ts";
export { NO_COSTS, type StepCosts } from "./step-costs.ts";
export { tilesHash, tilesHasher } from "./tiles-hash.ts";

// Ports of whoever watches.

export { type LogFields, type Logger, silentLogger } from "./ports/logger.ts";
export {
  noTracer,
  type SpanAttributes,
  type SpanOptions,
  type TraceCall,
  type TraceContext,
  type Tracer,
  type TraceSpan,
} from "./ports/tracer.ts";
export { SaidReasons } from "./said-reasons.ts";
export type { TenantShare } from "./tenant-share.ts";

// Maps: one that forgets the oldest, and one that keeps nothing of what has left.

export { BoundedMap, type MapBounds } from "./bounded-map.ts";
export { TransientMap } from "./transient-map.ts";

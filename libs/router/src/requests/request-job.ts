import {
  type Clock,
  DroverError,
  type Lane,
  type Logger,
  neverAborted,
  type PayloadStore,
  type PromptImage,
  type QueueJob,
  type RouterId,
  type TenantShare,
  type TimeLimit,
  toDroverError,
  withTimeout,
} from "@drover/core";
import { sampleHashes } from "@drover/fleet";
import type { HashSeed } from "@drover/kv";
import type { InferenceRequest } from "@drover/openai";
import type { Account } from "@drover/tenants";
import { generationRequestToWire } from "@drover/wire";
import type { VisionClient } from "../cluster/vision-client.ts";
import {
  INLINE_PAYLOAD_BYTES_MAX,
  PAYLOAD_GRACE_MS,
  QUEUE_CALL_LIMIT,
  RETRY_AFTER_MS,
  SHORT_LANE_TOKENS_MAX,
} from "../limits.ts";
import type { ServedModel } from "../served-model.ts";
import type { Generation } from "./generation.ts";
import type { JobBatcher } from "./job-batcher.ts";
import { hashPrompt, reusesPrefix } from "./prompt-hashes.ts";

/** The queue takes nothing now. Whether it has the job all the same is not known. */
export class QueueAway extends DroverError {
  constructor(cause: DroverError) {
    super("unavailable", "the queue cannot be reached", { retryAfterMs: RETRY_AFTER_MS, cause });
  }
}

/** What makes a job of a request. */
export type JobOptions = Readonly<{
  model: ServedModel;
  routerId: RouterId;
  store: PayloadStore;
  clock: Clock;
  vision: Pick<VisionClient, "encode">;
  /** Of the served checkpoint, as it is known now. */
  hashSeed: () => HashSeed;
}>;

/**
 * Puts a request's newest attempt into the queue, which has so long to answer, once its images are encoded. Errors: `unavailable` or `overloaded` from the vision workers or
 * the queue, with when to come back, `QueueAway` where the queue takes nothing now; why the request has ended, where it has.
 */
export async function addJob(
  generation: Generation,
  front: boolean,
  limit: TimeLimit,
  jobs: JobBatcher,
  options: JobOptions,
): Promise<void> {
  // Each time anew: the features may have gone with their worker, or from its cache.
  const { images: asked } = generation.request;
  const encoding = asked.length === 0 ? undefined : generation.trace?.child("encode images");
  const images = await options.vision.encode(asked, generation.ended, encoding?.context).catch((error: unknown) => {
    encoding?.end(toDroverError(error).code);
    throw error;
  });
  encoding?.end();
  generation.blockHashes ??= await hashPrompt(
    generation.request,
    { ...options.hashSeed(), salt: generation.account.salt },
    generation.ended,
  );
  try {
    const job = await putJob(generation, images, front, limit, options);
    const adding = jobs.add(job, generation.ended);
    // The call of all that are added together has the whole limit.
    await (limit.ms < QUEUE_CALL_LIMIT.ms ? withTimeout(limit, options.clock, neverAborted, () => adding) : adding);
  } catch (error) {
    // Who has left, or waited too long, is told nothing of the queue.
    generation.ended.throwIfAborted();
    const fault = toDroverError(error);
    if (fault.code !== "unavailable" && fault.code !== "deadline_exceeded") throw fault;
    throw new QueueAway(fault);
  }
}

/** Where a request waits. */
export function laneOf({ promptTokenIds }: Pick<InferenceRequest, "promptTokenIds">): Lane {
  return promptTokenIds.length > SHORT_LANE_TOKENS_MAX ? "long" : "short";
}

/** The job of a request's newest attempt; a large payload is stored first, under a key that the request will delete. */
async function putJob(
  generation: Generation,
  images: readonly PromptImage[],
  front: boolean,
  limit: TimeLimit,
  options: JobOptions,
): Promise<QueueJob> {
  const { requestId, request, state, deadlineMs } = generation;
  const { modelId } = options.model;
  const attemptBase = state.attemptBase;
  const trace = generation.trace?.context;
  const blockHashes = generation.blockHashes ?? new Uint8Array();
  const bytes = generationRequestToWire({
    requestId,
    modelId,
    routerId: options.routerId,
    promptTokenIds: request.promptTokenIds,
    images,
    blockHashes,
    params: request.sampling,
    grammar: request.constraint?.grammar,
    ...shareOf(generation.account),
    delivered: state.choices,
    deadlineMs,
    trace,
  });
  const nowMs = options.clock.now();
  const deliveredCount = state.tokenCount;
  const { n, maxTokens } = request.sampling;
  const job = {
    requestId,
    modelId,
    routerId: options.routerId,
    lane: laneOf(request),
    front,
    attemptBase,
    deadlineMs,
    enqueuedAtMs: nowMs,
    promptTokenCount: request.promptTokenIds.length + deliveredCount,
    newTokenCountMax: Math.max(0, n * maxTokens - deliveredCount),
    choiceCount: n,
    ...shareOf(generation.account),
    ...(trace && { trace }),
    blockHashes: reusesPrefix(request) ? sampleHashes(blockHashes) : new Uint8Array(),
  } as const;
  if (bytes.byteLength < INLINE_PAYLOAD_BYTES_MAX) return { ...job, payload: { kind: "inline", bytes } };
  const key = `${requestId}/${attemptBase}`;
  generation.payloadKeys.push(key);
  const ttlMs = Math.max(1, deadlineMs - nowMs) + PAYLOAD_GRACE_MS;
  await withTimeout(limit, options.clock, generation.ended, (signal) => options.store.put(key, bytes, ttlMs, signal));
  return { ...job, payload: { kind: "reference", key, byteCount: bytes.byteLength } };
}

/** Has the payload store forget a request that is over; returns at once. */
export function deletePayloads(
  { requestId, payloadKeys }: Generation,
  { store, clock, logger }: Pick<JobOptions, "store" | "clock"> & Readonly<{ logger: Logger }>,
): void {
  const keys = payloadKeys.splice(0);
  if (keys.length === 0) return;
  const remove = (signal: AbortSignal) => store.delete(keys, signal);
  withTimeout(QUEUE_CALL_LIMIT, clock, neverAborted, remove).catch((error: unknown) => {
    logger.warn("payload.delete_failed", { request: requestId, reason: toDroverError(error).message });
  });
}

/** By what queue and workers share themselves among tenants. */
function shareOf({ tenant, salt }: Account): TenantShare {
  if (tenant === undefined) return {};
  return { tenant: { name: tenant.name, weight: tenant.weight, priority: tenant.priority, cacheSalt: salt } };
}

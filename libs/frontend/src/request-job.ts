import { type Clock, type PayloadStore, type QueueJob, type RouterId, withTimeout } from "@drover/core";
import type { Generation } from "./generation.ts";
import { INLINE_PAYLOAD_BYTES_MAX, PAYLOAD_GRACE_MS, QUEUE_CALL_TIMEOUT_MS, SHORT_LANE_TOKENS_MAX } from "./limits.ts";
import type { ServedModel } from "./served-model.ts";
import { encodeGenerationRequest } from "./wire.ts";

type Port = Readonly<{ model: ServedModel; routerId: RouterId; store: PayloadStore; clock: Clock }>;

/** The job of a request's newest attempt; a large payload is stored first, under a key that the request will delete. */
export async function putJob(generation: Generation, front: boolean, port: Port): Promise<QueueJob> {
  const { requestId, request, state, deadlineMs } = generation;
  const { modelId } = port.model;
  const attemptBase = state.attemptBase;
  const bytes = encodeGenerationRequest({ requestId, modelId, routerId: port.routerId, deadlineMs }, request, state);
  const nowMs = port.clock.now();
  const deliveredCount = state.tokenCount;
  const { n, maxTokens } = request.sampling;
  const job = {
    requestId,
    modelId,
    routerId: port.routerId,
    lane: request.promptTokenIds.length > SHORT_LANE_TOKENS_MAX ? "long" : "short",
    front,
    attemptBase,
    deadlineMs,
    enqueuedAtMs: nowMs,
    promptTokenCount: request.promptTokenIds.length + deliveredCount,
    newTokenCountMax: Math.max(0, n * maxTokens - deliveredCount),
    choiceCount: n,
  } as const;
  if (bytes.byteLength < INLINE_PAYLOAD_BYTES_MAX) return { ...job, payload: { kind: "inline", bytes } };
  const key = `${requestId}/${attemptBase}`;
  generation.payloadKeys.push(key);
  await port.store.put(
    key,
    bytes,
    Math.max(1, deadlineMs - nowMs) + PAYLOAD_GRACE_MS,
    withTimeout(QUEUE_CALL_TIMEOUT_MS, generation.ended),
  );
  return { ...job, payload: { kind: "reference", key, byteCount: bytes.byteLength } };
}

import type { ModelId, WorkerId } from "@drover/core";
import {
  BEGIN_WITHIN_MS,
  EXPECTED_OUTPUT_TOKENS,
  RANKING_MAX,
  SAME_CACHED_TOKENS,
  SAME_TIME_MS,
  SAME_TIME_SHARE,
  WORKER_REQUEST_MAX,
  WORKER_WAITING_MAX,
} from "../limits.ts";
import type { ComingPrefix } from "../prefixes/coming-prefixes.ts";
import { type FirstTokenTime, firstTokenTime, hasLongPrompt, type PromptLoad, totalMs } from "./first-token-time.ts";

/** What is known of one attention worker: its last status, and what was placed there since. */
export type WorkerCapacity = PromptLoad &
  Readonly<{
    workerId: WorkerId;
    modelId: ModelId;
    /** Serves, is not leaving, not suspected and has not just refused. */
    available: boolean;
    /** Allocated, cached prefixes included. */
    kvBytesUsed: number;
    /** The part of these bytes that only the prefix cache keeps: it gives way. */
    kvBytesCached: number;
    kvBytesMax: number;
    kvBytesPerToken: number;
    kvBytesFixed: number;
    /** A choice that may get longer than `aboveTokens` takes KV for `keptTokens` at most. */
    striping?: Readonly<{ aboveTokens: number; keptTokens: number }> | undefined;
    contextTokensMax: number;
    /** Placements that its status does not show yet. */
    reservedBytes: number;
    reservedCount: number;
  }>;

/** Token counts are sums over the request's choices. */
export type PlaceableRequest = Readonly<{
  modelId: ModelId;
  promptTokenCount: number;
  newTokenCountMax: number;
  choiceCount: number;
}>;

export type PlacementOptions = Readonly<{
  /** No worker is given a request that it is predicted to begin later than this; BEGIN_WITHIN_MS unless given. */
  beginWithinMs?: number;
  /** Tokens of the prompt that a worker is expected to have cached; none unless given. */
  cachedTokenCount?: (worker: WorkerId) => number;
  /** What a worker will soon have cached of it; nothing unless given. */
  coming?: (worker: WorkerId) => ComingPrefix | undefined;
  /** Whether the request was passed over for too long: short prompts before it, of which there may always be more, do not hold it up then. */
  insists?: boolean;
  /** Whether its client has waited in the middle of an answer since its worker was lost: workers compute it before new prompts, so that it waits behind none of them. */
  isResumed?: boolean;
  /** Whether the room that comes free there is kept for another lane. */
  isClaimed?: (worker: WorkerId) => boolean;
}>;

/** Why a worker does not take a request now. */
export const CANDIDATE_REFUSALS = [
  "unavailable",
  "too_small",
  "claimed",
  "too_many_requests",
  "no_kv",
  "too_late",
] as const;
type CandidateRefusal = (typeof CANDIDATE_REFUSALS)[number];

/** One worker as a decision saw it. */
export type PlacementCandidate = Readonly<{
  workerId: WorkerId;
  refusal: CandidateRefusal | undefined;
  time: FirstTokenTime;
  cachedTokenCount: number;
  kvBytesFree: number;
}>;

type Ranked = Readonly<{ ranking: readonly PlacementCandidate[]; candidateCount: number }>;
export type PlacementDecision = Ranked &
  (
    | Readonly<{
        kind: "worker";
        workerId: WorkerId;
        kvBytes: number;
        promptMs: number;
        cachedTokenCount: number;
        candidate: PlacementCandidate;
      }>
    /** No room now. `claim` is the worker that is nearest to having room, where room is what is missing. */
    | Readonly<{ kind: "wait"; claim: WorkerId | undefined }>
    /** No room ever on any worker that is known. */
    | Readonly<{ kind: "never"; reason: string }>
  );

/** The longest that a choice may get. */
const choiceTokensOf = ({ promptTokenCount, newTokenCountMax, choiceCount }: PlaceableRequest) =>
  Math.ceil((promptTokenCount + newTokenCountMax) / choiceCount);

/** KV bytes to count for a request at placing: its prompt and the output that is to be expected. */
function placementBytes(worker: WorkerCapacity, request: PlaceableRequest): number {
  const outputTokens = Math.min(request.newTokenCountMax, EXPECTED_OUTPUT_TOKENS * request.choiceCount);
  const { striping } = worker;
  const isStriped = striping !== undefined && choiceTokensOf(request) > striping.aboveTokens;
  const keptTokens = isStriped ? striping.keptTokens * request.choiceCount : Number.POSITIVE_INFINITY;
  const tokens = Math.min(keptTokens, request.promptTokenCount + outputTokens);
  return worker.kvBytesPerToken * tokens + worker.kvBytesFixed * request.choiceCount;
}

/** What is neither used by requests nor spoken for. Negative when more waits in the worker than fits. */
export function freeBytes(worker: WorkerCapacity): number {
  const waitingBytes = worker.kvBytesPerToken * worker.waitingTokenCount + worker.kvBytesFixed * worker.waitingCount;
  return worker.kvBytesMax - (worker.kvBytesUsed - worker.kvBytesCached) - waitingBytes - worker.reservedBytes;
}

const requestCount = (worker: WorkerCapacity) => worker.runningCount + worker.waitingCount + worker.reservedCount;

/**
 * The attention worker that takes the request: among those of its model with room for its KV, the one that is predicted to have its first
 * token soonest. Where predictions are about the same: most cached, fewest requests, then most free bytes, then the id, so that the same state always
 * gives the same worker. `never` only when every worker of the model is known to be too small for one choice's prompt and output.
 */
export function placeRequest(
  workers: readonly WorkerCapacity[],
  request: PlaceableRequest,
  options: PlacementOptions = {},
): PlacementDecision {
  const choiceTokens = choiceTokensOf(request);
  const ofModel = workers.filter((worker) => worker.modelId === request.modelId);
  const contextTokensMax = ofModel.reduce((most, worker) => Math.max(most, worker.contextTokensMax), 0);
  const seen = ofModel.map((worker) => judge(worker, request, choiceTokens, options));
  const ranked = { ranking: ranking(seen), candidateCount: seen.length };
  if (seen.length > 0 && contextTokensMax < choiceTokens) {
    const reason = `${choiceTokens} tokens are asked, the largest worker holds ${contextTokensMax}`;
    return { kind: "never", reason, ...ranked };
  }
  const best = soonest(seen);
  if (best === undefined) return { kind: "wait", claim: nearest(seen), ...ranked };
  const { worker, candidate } = best;
  return {
    kind: "worker",
    workerId: worker.workerId,
    kvBytes: placementBytes(worker, request),
    promptMs: candidate.time.prefillMs,
    cachedTokenCount: candidate.cachedTokenCount,
    candidate,
    ...ranked,
  };
}

/** Whether a small request would find a place: the question to ask before a job is taken from the queue. */
export function hasRoom(workers: readonly WorkerCapacity[], modelId: ModelId, options: PlacementOptions = {}): boolean {
  const smallest = { modelId, promptTokenCount: 1, newTokenCountMax: 1, choiceCount: 1 };
  return workers.some(
    (worker) => worker.modelId === modelId && judge(worker, smallest, 2, options).candidate.refusal === undefined,
  );
}

type Judged = Readonly<{
  worker: WorkerCapacity;
  candidate: PlacementCandidate;
  missingBytes: number;
  totalMs: number;
}>;

function judge(
  worker: WorkerCapacity,
  request: PlaceableRequest,
  choiceTokens: number,
  options: PlacementOptions,
): Judged {
  const { workerId } = worker;
  const { cachedTokenCount, time } = soonestPrefix(worker, request, options);
  const kvBytesFree = freeBytes(worker);
  const missingBytes = placementBytes(worker, request) - kvBytesFree;
  const refusal = refusalOf(worker, choiceTokens, missingBytes, time, options);
  return {
    worker,
    candidate: { workerId, refusal, time, cachedTokenCount, kvBytesFree },
    missingBytes,
    totalMs: totalMs(time),
  };
}

/** With what is cached there, or with what will be where waiting for that is no longer. */
function soonestPrefix(
  worker: WorkerCapacity,
  { promptTokenCount }: PlaceableRequest,
  options: PlacementOptions,
): Pick<PlacementCandidate, "cachedTokenCount" | "time"> {
  const capped = (tokens: number) => Math.max(0, Math.min(tokens, promptTokenCount - 1));
  const cachedTokenCount = capped(options.cachedTokenCount?.(worker.workerId) ?? 0);
  const time = firstTokenTime(worker, promptTokenCount, cachedTokenCount);
  const coming = options.coming?.(worker.workerId);
  if (coming === undefined || coming.tokenCount <= cachedTokenCount) return { cachedTokenCount, time };
  const soon = capped(coming.tokenCount);
  const then = firstTokenTime(worker, promptTokenCount, soon, coming.inMs);
  return totalMs(then) <= totalMs(time) ? { cachedTokenCount: soon, time: then } : { cachedTokenCount, time };
}

/** An idle worker takes whatever fits its context, however the sums stand. */
function refusalOf(
  worker: WorkerCapacity,
  choiceTokens: number,
  missingBytes: number,
  time: FirstTokenTime,
  { beginWithinMs = BEGIN_WITHIN_MS, insists, isResumed = false, isClaimed }: PlacementOptions,
): CandidateRefusal | undefined {
  if (!worker.available) return "unavailable";
  if (worker.contextTokensMax < choiceTokens) return "too_small";
  if (isClaimed?.(worker.workerId)) return "claimed";
  const count = requestCount(worker);
  if (count === 0) return undefined;
  if (count >= WORKER_REQUEST_MAX || (worker.waitingCount >= WORKER_WAITING_MAX && !isResumed))
    return "too_many_requests";
  if (missingBytes > 0) return "no_kv";
  if (time.queueMs <= beginWithinMs || isResumed) return undefined;
  return insists && !hasLongPrompt(worker, beginWithinMs) ? undefined : "too_late";
}

function soonest(seen: readonly Judged[]): Judged | undefined {
  const taking = seen.filter(({ candidate }) => candidate.refusal === undefined);
  const leastMs = taking.reduce((least, one) => Math.min(least, one.totalMs), Number.POSITIVE_INFINITY);
  const aboutMs = leastMs + Math.max(SAME_TIME_MS, leastMs * SAME_TIME_SHARE);
  let best: Judged | undefined;
  for (const one of taking)
    if (one.totalMs <= aboutMs && (best === undefined || betterAmongEquals(one, best) < 0)) best = one;
  return best;
}

function betterAmongEquals(a: Judged, b: Judged): number {
  const cached = ({ candidate }: Judged) => Math.floor(candidate.cachedTokenCount / SAME_CACHED_TOKENS);
  return (
    cached(b) - cached(a) ||
    requestCount(a.worker) - requestCount(b.worker) ||
    b.candidate.kvBytesFree - a.candidate.kvBytesFree ||
    (a.worker.workerId < b.worker.workerId ? -1 : 1)
  );
}

/** The best of the workers that could take the request later: the one with the fewest bytes missing, then the least time. */
function nearest(seen: readonly Judged[]): WorkerId | undefined {
  let best: Judged | undefined;
  for (const one of seen) {
    const { refusal } = one.candidate;
    // Keeping others out would not end a long prompt any sooner.
    if (refusal === "unavailable" || refusal === "too_small" || refusal === "too_late") continue;
    if (best === undefined || nearer(one, best) < 0) best = one;
  }
  return best?.worker.workerId;
}

function nearer(a: Judged, b: Judged): number {
  const missing = Math.max(0, a.missingBytes) - Math.max(0, b.missingBytes);
  return missing || a.totalMs - b.totalMs || (a.worker.workerId < b.worker.workerId ? -1 : 1);
}

/** The order of candidates: workers that could take the request first, then by time. */
function ranking(seen: readonly Judged[]): readonly PlacementCandidate[] {
  const best: Judged[] = [];
  for (const one of seen) {
    const at = best.findIndex((other) => before(one, other));
    if (at >= 0) best.splice(at, 0, one);
    else if (best.length < RANKING_MAX) best.push(one);
    if (best.length > RANKING_MAX) best.pop();
  }
  return best.map(({ candidate }) => candidate);
}

function before(a: Judged, b: Judged): boolean {
  const takes = ({ candidate }: Judged) => (candidate.refusal === undefined ? 0 : 1);
  return (takes(a) - takes(b) || a.totalMs - b.totalMs) < 0;
}

import type { ModelId, RequestId, RouterId } from "../ids.ts";
import type { TenantShare } from "../tenant-share.ts";
import type { TraceContext } from "./tracer.ts";

/** Lanes are queues of their own, so that a long prompt never holds up short ones. */
export const LANES = ["short", "long"] as const;
export type Lane = (typeof LANES)[number];

/** A request's serialized `drover.internal.v1.GenerationRequest`: inline when small, else a key of the payload store. */
export type JobPayload =
  | Readonly<{ kind: "inline"; bytes: Uint8Array }>
  | Readonly<{ kind: "reference"; key: string; byteCount: number }>;

/** One waiting request: what the scheduler needs to place it, and the payload that it hands to the worker unread. */
export type QueueJob = TenantShare &
  Readonly<{
    requestId: RequestId;
    modelId: ModelId;
    routerId: RouterId;
    lane: Lane;
    /** First in its lane: a request that is added again after its worker was lost. */
    front: boolean;
    /** The attempt that the first delivery has; each further delivery counts one more. Rises by ATTEMPT_STRIDE with each re-add. */
    attemptBase: number;
    /** Unix milliseconds; what is past it is dropped. */
    deadlineMs: number;
    enqueuedAtMs: number;
    /** Prompt and delivered tokens that must be prefilled, and the most that may be generated, summed over choices. */
    promptTokenCount: number;
    newTokenCountMax: number;
    choiceCount: number;
    /** Hashes of the prompt's first blocks and of ever fewer later ones, for finding cached prefixes: see libs/placement. Empty: nothing to look for. */
    blockHashes: Uint8Array;
    /** The request's span, where it is traced. */
    trace?: TraceContext;
    payload: JobPayload;
  }>;

/** What names one add. */
export type JobName = Pick<QueueJob, "requestId" | "attemptBase" | "lane">;

/** Deliveries of one add are numbered below this, so that attempts of a later add are always newer. */
export const ATTEMPT_STRIDE = 1_000_000;

/** A job that was taken: its lock is held until it is completed or released, and extended by the adapter while held. */
export interface JobLease {
  readonly job: QueueJob;
  /** attemptBase + deliveries so far - 1. */
  readonly attempt: number;
  /** Aborts when the lock was lost: the job may be delivered again elsewhere. */
  readonly lost: AbortSignal;
  /** The worker has accepted, or the job is dropped: it leaves the queue. */
  complete(signal: AbortSignal): Promise<void>;
  /**
   * Back to the head of its lane, behind those that were added to the front unless it was. An adapter may hand an `unused` delivery's number out again; a `spent` one's never, since a worker may
   * have accepted it without our knowing.
   */
  release(signal: AbortSignal, delivery?: "unused" | "spent"): Promise<void>;
}

export type LaneDepth = Readonly<{ lane: Lane; waitingCount: number; oldestEnqueuedAtMs: number | undefined }>;

/** The router's side of the queue. */
export interface QueueProducer {
  /** Adds in bulk. A job whose (requestId, attemptBase) is known already is ignored. Errors: `unavailable` at once when the queue cannot be reached, `overloaded` when it is full. */
  add(jobs: readonly QueueJob[], signal: AbortSignal): Promise<void>;
  /**
   * Takes waiting requests out, and leaves a tombstone so that a delivery in progress is dropped. `livesMs`: how long a job of theirs may
   * live, where that is longer than most do. Errors: `unavailable` when the queue has not taken every one of them.
   */
  cancel(requestIds: readonly RequestId[], signal: AbortSignal, livesMs?: number): Promise<void>;
  /**
   * Which of these jobs neither wait nor are taken: they were lost, or have left the queue, to a worker or to nobody. A queue that is lost
   * only with its scheduler leaves it out. Errors: `unavailable` when that cannot be found out now.
   */
  missing?(jobs: readonly JobName[], signal: AbortSignal): Promise<readonly JobName[]>;
}

/** The scheduler's side of the queue. */
export interface QueueConsumer {
  /**
   * The first job of the lane, or undefined at once when there is none. Cancelled and expired jobs are dropped here. `only`: where it is one that was added to the
   * front, and else undefined; one that was not may come all the same where another consumer takes at this moment, or a job came back whose lock ran out.
   */
  take(lane: Lane, signal: AbortSignal, only?: "front"): Promise<JobLease | undefined>;
  /** Whether a tombstone stands for the request. */
  isCancelled(requestId: RequestId, signal: AbortSignal): Promise<boolean>;
  depth(signal: AbortSignal): Promise<readonly LaneDepth[]>;
  /** Called whenever a job may have become available; the result removes the listener. */
  onAvailable(listener: () => void): () => void;
  /** Drops all waiting jobs of a router that is gone. Returns how many. */
  dropRouter(routerId: RouterId, signal: AbortSignal): Promise<number>;
}

/** What a key must have for a put to happen: just these bytes, or nothing where undefined. */
export type PutCondition = Readonly<{ key: string; bytes: Uint8Array | undefined }>;

/** Large values by key, with a time to live. The router puts before it adds, and deletes when the request ends. */
export interface PayloadStore {
  put(key: string, bytes: Uint8Array, ttlMs: number, signal: AbortSignal): Promise<void>;
  /** As `put`, where the condition holds, in one step with looking: nobody else's put comes in between. Returns whether it held. */
  putIf(key: string, bytes: Uint8Array, ttlMs: number, condition: PutCondition, signal: AbortSignal): Promise<boolean>;
  /** Undefined when absent or expired. */
  get(key: string, signal: AbortSignal): Promise<Uint8Array | undefined>;
  delete(keys: readonly string[], signal: AbortSignal): Promise<void>;
}

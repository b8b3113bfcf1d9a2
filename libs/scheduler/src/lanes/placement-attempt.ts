import {
  type ErrorCode,
  type JobLease,
  type Logger,
  type PayloadStore,
  type QueueConsumer,
  type TraceContext,
  toDroverError,
  type WorkerId,
} from "@drover/core";
import type { Pulses } from "../fleet/pulses.ts";
import type { DropReason } from "./held-job.ts";
import type { PlaceCaller } from "./place-caller.ts";

export type AttemptOutcome =
  | Readonly<{ kind: "accepted" }>
  /** The worker said that it cannot now: the same attempt may go elsewhere. */
  | Readonly<{ kind: "refused"; code: ErrorCode }>
  /** No reply: the worker may have accepted, so this attempt's number is used up. */
  | Readonly<{ kind: "unknown"; code: ErrorCode }>
  | Readonly<{ kind: "drop"; reason: DropReason }>;

/** Answers of a worker after which nobody needs to be asked again: what they say of the job is so everywhere, and stays so. */
const ENDS: Partial<Record<ErrorCode, DropReason>> = {
  cancelled: "cancelled",
  deadline_exceeded: "expired",
  invalid_argument: "refused_forever",
  context_length_exceeded: "refused_forever",
  payload_too_large: "refused_forever",
  model_not_found: "refused_forever",
  internal: "refused_forever",
};

export type AttemptPorts = Readonly<{
  queue: QueueConsumer;
  payloads: Pick<PayloadStore, "get">;
  caller: PlaceCaller;
  pulses: Pick<Pulses, "placing">;
  leaderEpoch: bigint;
  logger: Logger;
}>;

/**
 * Hands one taken job to one worker. Not ended by the loss of leadership: the reply decides whether the job is done, and the
 * worker itself refuses an older leader. Errors: those of the queue and the payload store, before the worker was called.
 */
export async function attemptPlacement(
  ports: AttemptPorts,
  lease: JobLease,
  worker: WorkerId,
  address: string,
  trace?: TraceContext,
): Promise<AttemptOutcome> {
  const { job, attempt, lost } = lease;
  if (await ports.queue.isCancelled(job.requestId, lost)) return { kind: "drop", reason: "cancelled" };
  const payload = job.payload.kind === "inline" ? job.payload.bytes : await ports.payloads.get(job.payload.key, lost);
  if (payload === undefined) return { kind: "drop", reason: "payload_missing" };
  const request = { leaderEpoch: ports.leaderEpoch, attempt, payload };
  using waiting = ports.pulses.placing(worker);
  try {
    const refusal = await ports.caller.place(worker, address, request, AbortSignal.any([lost, waiting.frozen]), trace);
    if (refusal === undefined) return { kind: "accepted" };
    ports.logger.debug("placement.refused", { request: job.requestId, attempt, worker, ...refusal });
    const end = ENDS[refusal.code];
    return end === undefined ? { kind: "refused", code: refusal.code } : { kind: "drop", reason: end };
  } catch (error) {
    const { code, message } = toDroverError(error);
    ports.logger.warn("placement.failed", { request: job.requestId, attempt, worker, code, message });
    return { kind: "unknown", code };
  }
}

/** An outcome as the log of decisions has it. */
export function outcomeText(outcome: AttemptOutcome): string {
  if (outcome.kind === "accepted") return "accepted";
  if (outcome.kind === "drop") return `dropped: ${outcome.reason}`;
  return `${outcome.kind}: ${outcome.code}`;
}

import { create } from "@bufbuild/protobuf";
import {
  type JobLease,
  type Logger,
  type PayloadStore,
  type QueueConsumer,
  type TraceContext,
  toDroverError,
  type WorkerId,
} from "@drover/core";
import { PlaceRequestSchema } from "@drover/proto";
import type { DropReason } from "./held-lease.ts";
import type { PlaceCaller } from "./place-caller.ts";

export type AttemptOutcome =
  | Readonly<{ kind: "accepted" }>
  /** The worker said no: the same attempt may go elsewhere. `code` is of the error table. */
  | Readonly<{ kind: "refused"; code: string }>
  /** No reply: the worker may have accepted, so this attempt's number is used up. */
  | Readonly<{ kind: "unknown"; code: string }>
  | Readonly<{ kind: "drop"; reason: DropReason }>;

export type AttemptPorts = Readonly<{
  queue: QueueConsumer;
  payloads: PayloadStore;
  caller: PlaceCaller;
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
  const request = create(PlaceRequestSchema, { leaderEpoch: ports.leaderEpoch, attempt, payload });
  try {
    const reply = await ports.caller.place(worker, address, request, lost, trace);
    if (reply.accepted) return { kind: "accepted" };
    const fields = { request: job.requestId, attempt, worker, code: reply.refusalCode, message: reply.refusalMessage };
    ports.logger.debug("placement.refused", fields);
    if (reply.refusalCode === "invalid_argument") return { kind: "drop", reason: "refused_forever" };
    return { kind: "refused", code: reply.refusalCode };
  } catch (error) {
    const { code, message } = toDroverError(error);
    ports.logger.warn("placement.failed", { request: job.requestId, attempt, worker, code, message });
    return { kind: "unknown", code };
  }
}

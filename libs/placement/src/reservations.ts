import type { RequestId, WorkerId } from "@drover/core";
import { RESERVATION_SLACK_MS } from "./limits.ts";

type Reservation = { readonly kvBytes: number; acceptedAtMs: number | undefined };
export type ReservedTotal = Readonly<{ bytes: number; count: number }>;

/**
 * KV that was promised on workers and that their statuses do not show yet: from the decision to place, over the worker's
 * acceptance, to the first status that must have been written after it. Bounded by what one status interval can place.
 */
export class Reservations {
  readonly #byWorker = new Map<WorkerId, Map<RequestId, Reservation>>();

  /** Counts the bytes from now on; a second reservation of the same request on the worker replaces the first. */
  reserve(worker: WorkerId, request: RequestId, kvBytes: number): void {
    const ofWorker = this.#byWorker.get(worker) ?? new Map<RequestId, Reservation>();
    this.#byWorker.set(worker, ofWorker);
    ofWorker.set(request, { kvBytes, acceptedAtMs: undefined });
  }

  /** The worker has the request: its next statuses will show it. */
  accept(worker: WorkerId, request: RequestId, now: number): void {
    const reservation = this.#byWorker.get(worker)?.get(request);
    if (reservation !== undefined) reservation.acceptedAtMs = now;
  }

  /** The worker did not take it. */
  release(worker: WorkerId, request: RequestId): void {
    this.#byWorker.get(worker)?.delete(request);
  }

  /** A status of the worker arrived: what it accepted before is in it. */
  observe(worker: WorkerId, now: number): void {
    for (const [request, { acceptedAtMs }] of this.#byWorker.get(worker) ?? []) {
      if (acceptedAtMs !== undefined && now - acceptedAtMs >= RESERVATION_SLACK_MS) this.release(worker, request);
    }
  }

  forget(worker: WorkerId): void {
    this.#byWorker.delete(worker);
  }

  total(worker: WorkerId): ReservedTotal {
    let bytes = 0;
    let count = 0;
    for (const { kvBytes } of this.#byWorker.get(worker)?.values() ?? []) {
      bytes += kvBytes;
      count += 1;
    }
    return { bytes, count };
  }
}

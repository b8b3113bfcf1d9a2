import type { RequestId, WorkerId } from "@drover/core";
import { RESERVATION_SLACK_MS } from "../limits.ts";

/** What a placement will take of its worker: KV, and predicted milliseconds of prompt rows. */
export type Reserved = Readonly<{ kvBytes: number; promptMs: number }>;
type Reservation = Reserved & { acceptedAtMs: number | undefined };
export type ReservedTotal = Readonly<{ bytes: number; count: number; promptMs: readonly number[] }>;

const NONE: ReservedTotal = { bytes: 0, count: 0, promptMs: [] };

/**
 * What was promised on workers and their statuses do not show yet: from the decision to place, over the worker's acceptance, to the first
 * status that must have been written after it. Bounded by what one status interval can place.
 */
export class Reservations {
  readonly #byWorker = new Map<WorkerId, Map<RequestId, Reservation>>();
  readonly #totals = new Map<WorkerId, ReservedTotal>();

  /** Counts from now on; a second reservation of the same request on the worker replaces the first. */
  reserve(worker: WorkerId, request: RequestId, { kvBytes, promptMs }: Reserved): void {
    const ofWorker = this.#byWorker.get(worker) ?? new Map<RequestId, Reservation>();
    this.#byWorker.set(worker, ofWorker);
    ofWorker.set(request, { kvBytes, promptMs, acceptedAtMs: undefined });
    this.#totals.delete(worker);
  }

  /** The worker has the request: its next statuses will show it. */
  accept(worker: WorkerId, request: RequestId, now: number): void {
    const reservation = this.#byWorker.get(worker)?.get(request);
    if (reservation !== undefined) reservation.acceptedAtMs = now;
  }

  /** The worker did not take it. */
  release(worker: WorkerId, request: RequestId): void {
    const ofWorker = this.#byWorker.get(worker);
    if (ofWorker?.delete(request) !== true) return;
    if (ofWorker.size === 0) this.#byWorker.delete(worker);
    this.#totals.delete(worker);
  }

  /** A status of the worker arrived: what it accepted before is in it. */
  observe(worker: WorkerId, now: number): void {
    for (const [request, { acceptedAtMs }] of this.#byWorker.get(worker) ?? []) {
      if (acceptedAtMs !== undefined && now - acceptedAtMs >= RESERVATION_SLACK_MS) this.release(worker, request);
    }
  }

  forget(worker: WorkerId): void {
    this.#byWorker.delete(worker);
    this.#totals.delete(worker);
  }

  /** The sum of a worker's reservations: the same object until they change. */
  total(worker: WorkerId): ReservedTotal {
    const reservations = this.#byWorker.get(worker);
    if (reservations === undefined) return NONE;
    const known = this.#totals.get(worker);
    if (known !== undefined) return known;
    const list = [...reservations.values()];
    const total = {
      bytes: list.reduce((sum, { kvBytes }) => sum + kvBytes, 0),
      count: list.length,
      promptMs: list.map(({ promptMs }) => promptMs),
    };
    this.#totals.set(worker, total);
    return total;
  }
}

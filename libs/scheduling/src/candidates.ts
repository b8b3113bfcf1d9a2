import type { RequestId, WorkerId } from "@drover/core";
import type { Member, MembershipChange } from "@drover/membership";
import { Reservations, type WorkerCapacity } from "@drover/placement";

/** The attention workers as placement sees them: their last status, what was placed since, and who has just refused. */
export class Candidates {
  readonly #members: () => readonly Member[];
  readonly #reservations = new Reservations();
  readonly #pausedUntilMs = new Map<WorkerId, number>();

  constructor(members: () => readonly Member[]) {
    this.#members = members;
  }

  capacities(now: number): readonly WorkerCapacity[] {
    return this.#members().flatMap((member) => {
      const { profile, status, suspected, leaving } = member;
      if (status === undefined || !profile.roles.includes("attention")) return [];
      const paused = now < (this.#pausedUntilMs.get(profile.workerId) ?? Number.NEGATIVE_INFINITY);
      const { bytes, count } = this.#reservations.total(profile.workerId);
      const { workerId, modelId } = profile;
      const available = status.ready && !suspected && !leaving && !paused;
      return [{ ...status, workerId, modelId, available, reservedBytes: bytes, reservedCount: count }];
    });
  }

  reserve(worker: WorkerId, request: RequestId, kvBytes: number): void {
    this.#reservations.reserve(worker, request, kvBytes);
  }

  accept(worker: WorkerId, request: RequestId, now: number): void {
    this.#reservations.accept(worker, request, now);
  }

  release(worker: WorkerId, request: RequestId): void {
    this.#reservations.release(worker, request);
  }

  /** Nothing is placed there until then. */
  pause(worker: WorkerId, untilMs: number): void {
    this.#pausedUntilMs.set(worker, untilMs);
  }

  observe(changes: readonly MembershipChange[], now: number): void {
    for (const { kind, member } of changes) {
      if (kind === "status") this.#reservations.observe(member.profile.workerId, now);
      else if (kind === "gone") {
        this.#reservations.forget(member.profile.workerId);
        this.#pausedUntilMs.delete(member.profile.workerId);
      }
    }
  }
}

import type { RequestId, WorkerId } from "@drover/core";
import {
  cachedBytes,
  type Member,
  type MembershipChange,
  type PrefixCounts,
  Reservations,
  type Reserved,
  type ReservedTotal,
  type WorkerCapacity,
} from "@drover/fleet";

const NOTHING: PrefixCounts = { promptTokenCount: 0, cachedTokenCount: 0 };

type KnownWorker = Readonly<{ member: Member; reserved: ReservedTotal; paused: boolean; capacity: WorkerCapacity }>;

/** What attention workers have room for, as placement sees them: their last status, what was placed since, and who has just refused. */
export class Capacities {
  readonly #members: () => readonly Member[];
  readonly #reservations = new Reservations();
  readonly #pausedUntilMs = new Map<WorkerId, number>();
  readonly #predicted = new Map<WorkerId, PrefixCounts>();
  /** Made anew only where something has changed: there may be a thousand workers, and each placement looks at all of them. */
  readonly #known = new Map<WorkerId, KnownWorker>();

  constructor(members: () => readonly Member[]) {
    this.#members = members;
  }

  /** Of every attention worker that has said something of itself. */
  list(now: number): readonly WorkerCapacity[] {
    const capacities: WorkerCapacity[] = [];
    for (const member of this.#members()) {
      const capacity = this.#capacity(member, now);
      if (capacity !== undefined) capacities.push(capacity);
    }
    return capacities;
  }

  reserve(worker: WorkerId, request: RequestId, reserved: Reserved): void {
    this.#reservations.reserve(worker, request, reserved);
  }

  accept(worker: WorkerId, request: RequestId, predicted: PrefixCounts, now: number): void {
    this.#reservations.accept(worker, request, now);
    const { promptTokenCount, cachedTokenCount } = this.predictedPrefix(worker);
    this.#predicted.set(worker, {
      promptTokenCount: promptTokenCount + predicted.promptTokenCount,
      cachedTokenCount: cachedTokenCount + predicted.cachedTokenCount,
    });
  }

  release(worker: WorkerId, request: RequestId): void {
    this.#reservations.release(worker, request);
  }

  /** Over everything that the worker has accepted since it joined. */
  predictedPrefix(worker: WorkerId): PrefixCounts {
    return this.#predicted.get(worker) ?? NOTHING;
  }

  /** Whether placements go there now. */
  isAvailable(worker: WorkerId, now: number): boolean {
    return this.list(now).some(({ workerId, available }) => workerId === worker && available);
  }

  /** Nothing is placed there until then. */
  pause(worker: WorkerId, untilMs: number): void {
    this.#pausedUntilMs.set(worker, untilMs);
  }

  observe(changes: readonly MembershipChange[], now: number): void {
    for (const { kind, member } of changes) {
      const { workerId } = member.profile;
      if (kind === "status") this.#reservations.observe(workerId, now);
      else if (kind === "gone") {
        this.#reservations.forget(workerId);
        this.#pausedUntilMs.delete(workerId);
        this.#predicted.delete(workerId);
        this.#known.delete(workerId);
      }
    }
  }

  #capacity(member: Member, now: number): WorkerCapacity | undefined {
    const { profile, status, suspected, leaving } = member;
    const { workerId, modelId } = profile;
    if (status === undefined || !profile.roles.includes("attention")) return undefined;
    const paused = now < (this.#pausedUntilMs.get(workerId) ?? Number.NEGATIVE_INFINITY);
    const reserved = this.#reservations.total(workerId);
    const known = this.#known.get(workerId);
    if (known?.member === member && known.reserved === reserved && known.paused === paused) return known.capacity;
    const available = status.ready && !status.draining && !suspected && !leaving && !paused;
    const capacity = {
      ...status,
      workerId,
      modelId,
      available,
      kvBytesCached: cachedBytes(status),
      reservedBytes: reserved.bytes,
      reservedCount: reserved.count,
      reservedPromptMs: reserved.promptMs,
    };
    this.#known.set(workerId, { member, reserved, paused, capacity });
    return capacity;
  }
}

import { LANES, type Lane, type RequestId, type WorkerId } from "@drover/core";
import { CLAIM_MS } from "../limits.ts";

/** The first time that a claim stands and rests. */
const CYCLE_MS = 10 * CLAIM_MS;

/** A request that was passed over for too long, and the worker whose room it waits for. */
export type Claim = Readonly<{ requestId: RequestId; workerId: WorkerId; sinceMs: number }>;

/**
 * The room that comes free on a worker is kept for one request of a lane, so that a steady load of the other lane, whose requests need less,
 * cannot take every bit of room before there is enough. One claim a lane; of two on the same worker the older one stands. Where what holds
 * the room stays for hours, keeping others out helps nobody: a claim stands for CLAIM_MS, rests for nine times as long, and then again with
 * both doubled, so that the other lane never loses more than a tenth of the time.
 */
export class Claims {
  readonly #byLane = new Map<Lane, Claim>();

  of(lane: Lane): Claim | undefined {
    return this.#byLane.get(lane);
  }

  /** The lane's one claim; the same request keeps its time when it moves to another worker. */
  claim(lane: Lane, requestId: RequestId, workerId: WorkerId, now: number): void {
    const known = this.#byLane.get(lane);
    const sinceMs = known?.requestId === requestId ? known.sinceMs : now;
    this.#byLane.set(lane, { requestId, workerId, sinceMs });
  }

  release(lane: Lane): void {
    this.#byLane.delete(lane);
  }

  /** Whether `lane` must leave the worker's room to another lane now. */
  isClaimed(workerId: WorkerId, lane: Lane, now: number): boolean {
    const own = this.#byLane.get(lane);
    for (const other of LANES) {
      const claim = this.#byLane.get(other);
      if (other === lane || claim?.workerId !== workerId || !stands(now - claim.sinceMs)) continue;
      if (own?.workerId !== workerId || claim.sinceMs < own.sinceMs) return true;
      if (claim.sinceMs === own.sinceMs && other < lane) return true;
    }
    return false;
  }
}

function stands(ageMs: number): boolean {
  const turn = Math.floor(Math.log2(ageMs / CYCLE_MS + 1));
  return ageMs - CYCLE_MS * (2 ** turn - 1) < CLAIM_MS * 2 ** turn;
}

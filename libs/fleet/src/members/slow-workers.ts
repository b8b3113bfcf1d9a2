import type { WorkerId } from "@drover/core";
import type { WorkerState } from "../cluster-state.ts";
import type { SlowPeer } from "./worker-status.ts";

/** A worker that others find slow: as the one who has most reason to says it. */
export type SlowWorker = SlowPeer & Readonly<{ foundBy: WorkerId }>;

/** The workers that attention workers find slow or silent, by id. Silent is worse than slow. Pure. */
export function slowWorkers(workers: readonly WorkerState[]): ReadonlyMap<WorkerId, SlowWorker> {
  const found = new Map<WorkerId, SlowWorker>();
  for (const { workerId: foundBy, status } of workers) {
    for (const peer of status?.slowPeers ?? []) {
      const known = found.get(peer.workerId);
      if (known === undefined || isWorse(peer, known)) found.set(peer.workerId, { ...peer, foundBy });
    }
  }
  return found;
}

const isWorse = (one: SlowPeer, other: SlowPeer): boolean =>
  one.isSilent === other.isSilent ? one.slowness > other.slowness : one.isSilent;

import type { WorkerId } from "@drover/core";
import type { PartialAssignment } from "./expert-assignment.ts";
import type { ExpertHolders } from "./expert-copies.ts";

/** An expert worker as the planner sees it. */
export type ExpertWorker = Readonly<{
  workerId: WorkerId;
  incarnation: string;
  /** Its Join stream: orders are sent anew to each. */
  session: number;
  address: string;
  joinedAtMs: number;
  suspected: boolean;
  leaving: boolean;
  /** Whether the worker wants to end; it answers until others have its experts. */
  draining: boolean;
  /** Experts of all layers together that its memory holds; Infinity: no limit is known. */
  expertCountMax: number;
  /** Experts in its memory by layer; undefined until it has said so. */
  loaded: ReadonlyMap<number, ReadonlySet<number>> | undefined;
}>;

/** The workers that answer for experts now: by layer, for each expert those that hold it, best first. */
export type ActiveExperts = ReadonlyMap<number, readonly (readonly WorkerId[])[]>;

/**
 * Make before break: the desired holders that report the expert loaded, the owner first, and while there are none whoever else still holds it;
 * workers that are silent, draining or leaving come last. Empty for an expert that nobody holds.
 */
export function activeExperts(
  desired: ExpertHolders,
  workers: readonly ExpertWorker[],
  layers: readonly number[],
  expertCount: number,
): ActiveExperts {
  const doubtful = (worker: ExpertWorker) => Number(worker.suspected || worker.draining || worker.leaving);
  const ordered = workers.toSorted((a, b) => doubtful(a) - doubtful(b) || (a.workerId < b.workerId ? -1 : 1));
  return new Map(
    layers.map((layer) => {
      const wanted = desired.get(layer) ?? [];
      const holders: (readonly WorkerId[])[] = [];
      for (let expert = 0; expert < expertCount; expert += 1) {
        const loaded = ordered.filter((worker) => worker.loaded?.get(layer)?.has(expert));
        const sure = new Set(loaded.filter((worker) => !doubtful(worker)).map(({ workerId }) => workerId));
        const meant = wanted[expert]?.filter((worker) => sure.has(worker)) ?? [];
        holders.push(meant.length > 0 ? meant : loaded.map(({ workerId }) => workerId));
      }
      return [layer, holders];
    }),
  );
}

export function isComplete(active: ActiveExperts): boolean {
  return [...active.values()].every((experts) => experts.every((holders) => holders.length > 0));
}

/**
 * The assignment that the workers' memory already amounts to: a new leader starts from it, so that it moves nothing.
 * Where several hold an expert, the one with the fewest so far gets it.
 */
export function assignmentFromLoaded(
  workers: readonly ExpertWorker[],
  layers: readonly number[],
  expertCount: number,
): PartialAssignment {
  const ordered = workers.toSorted((a, b) => (a.workerId < b.workerId ? -1 : 1));
  return new Map(
    layers.map((layer) => {
      const counts = new Map(ordered.map((worker) => [worker.workerId, 0]));
      const owners: (WorkerId | undefined)[] = new Array(expertCount).fill(undefined);
      const give = (expert: number, holderCountMax: number) => {
        if (owners[expert] !== undefined) return;
        const holders = ordered.filter((worker) => worker.loaded?.get(layer)?.has(expert));
        if (holders.length === 0 || holders.length > holderCountMax) return;
        const count = (worker: ExpertWorker) => counts.get(worker.workerId) ?? 0;
        const owner = holders.reduce((best, worker) => (count(worker) < count(best) ? worker : best)).workerId;
        owners[expert] = owner;
        counts.set(owner, (counts.get(owner) ?? 0) + 1);
      };
      // Those without a choice first: the others then even out what they left.
      for (let expert = 0; expert < expertCount; expert += 1) give(expert, 1);
      for (let expert = 0; expert < expertCount; expert += 1) give(expert, ordered.length);
      return [layer, owners];
    }),
  );
}

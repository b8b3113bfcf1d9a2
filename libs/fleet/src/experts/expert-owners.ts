import type { WorkerId } from "@drover/core";
import type { ExpertWorker } from "./active-map.ts";
import { type ExpertRoom, missingRoom } from "./expert-assignment.ts";

/** What memory forbids. */
export type ExpertShortage = Readonly<{
  /** Experts, of all layers together, for which those that stay have no memory. */
  missingCount: number;
  /** Workers that stay; 0: there is nobody else. */
  stayCount: number;
  /** Draining, leaving or lost workers that own experts all the same, until there is room for these elsewhere. Empty: nobody has them. */
  keeps: readonly WorkerId[];
}>;

/** The workers that should own experts, in the order of their ids; none while even all together lack memory. */
export type ExpertOwners = Readonly<{ owners: readonly WorkerId[]; shortage: ExpertShortage | undefined }>;

/**
 * Workers that stay own the experts. Where they lack memory, earlier owners that would go are kept: those that still answer first, and no more than
 * needed. `lost` are earlier owners that are not present any more, and were not for longer than their grace.
 */
export function chooseOwners(
  stay: readonly WorkerId[],
  earlier: readonly WorkerId[],
  present: ReadonlySet<WorkerId>,
  expertTotal: number,
  room: ExpertRoom,
): ExpertOwners {
  const missingCount = missingRoom(stay, expertTotal, room);
  if (stay.length > 0 && missingCount === 0) return { owners: stay.toSorted(), shortage: undefined };
  const goes = earlier.filter((worker) => !stay.includes(worker));
  const owners = [...stay];
  const keeps: WorkerId[] = [];
  for (const worker of [...goes.filter((id) => present.has(id)), ...goes.filter((id) => !present.has(id))]) {
    if (owners.length > 0 && missingRoom(owners, expertTotal, room) === 0) break;
    owners.push(worker);
    keeps.push(worker);
  }
  const fits = owners.length > 0 && missingRoom(owners, expertTotal, room) === 0;
  return {
    owners: fits ? owners.sort() : [],
    shortage: { missingCount, stayCount: stay.length, keeps: fits ? keeps : [] },
  };
}

/** What each worker can hold, where it has said a limit. */
export function roomOf(workers: readonly ExpertWorker[]): ExpertRoom {
  return new Map(
    workers.flatMap(({ workerId, expertCountMax }) =>
      Number.isFinite(expertCountMax) ? [[workerId, expertCountMax] as const] : [],
    ),
  );
}

import { assert, type WorkerId } from "@drover/core";

/** The owner that each expert should have: by MoE layer, one for each expert in order. Empty when there is no worker to own one. */
export type ExpertAssignment = ReadonlyMap<number, readonly WorkerId[]>;

/** An assignment in which some experts, or whole layers, have no owner yet. */
export type PartialAssignment = ReadonlyMap<number, readonly (WorkerId | undefined)[]>;

/** Experts of all layers together that a worker's memory holds; without an entry it has no limit. */
export type ExpertRoom = ReadonlyMap<WorkerId, number>;

/** Experts of all layers together for which the workers lack memory; 0 where they can hold them all. */
export function missingRoom(workers: readonly WorkerId[], expertTotal: number, room: ExpertRoom): number {
  const held = workers.reduce((sum, worker) => sum + (room.get(worker) ?? Number.POSITIVE_INFINITY), 0);
  return Math.max(0, expertTotal - held);
}

/**
 * How many experts of one layer each worker should own, as even as what each can take of a layer allows; ceilings go to `first` in order.
 * Bug: together they can take less than the layer has.
 */
function quotas(
  ordered: readonly WorkerId[],
  expertCount: number,
  most: (worker: WorkerId) => number,
): Map<WorkerId, number> {
  const quota = new Map(ordered.map((worker) => [worker, 0]));
  for (let left = expertCount, open = ordered; left > 0; ) {
    open = open.filter((worker) => (quota.get(worker) ?? 0) < most(worker));
    assert(open.length > 0, "there is room for every expert");
    // One more for each that has room, and in the last round for the first ones.
    for (const worker of open.slice(0, left)) quota.set(worker, (quota.get(worker) ?? 0) + 1);
    left -= Math.min(left, open.length);
  }
  return quota;
}

/**
 * Gives every expert of every layer exactly one of the workers: per layer the workers' counts differ by at most one, and no
 * plan with that property moves fewer experts away from their owners in `previous`. A worker whose room is smaller gets what it
 * can take, evenly over the layers, and the others share the rest. An expert whose owner is not among
 * `workers` counts as unowned. Ties even out the workers' totals over the layers, then go by id; experts that are new to
 * a worker come to it in ascending runs, because a fused tensor's experts lie side by side in the file. Bug: `missingRoom` is not 0.
 */
export function planExpertMap(
  previous: PartialAssignment,
  workers: readonly WorkerId[],
  layers: readonly number[],
  expertCount: number,
  room: ExpertRoom = new Map(),
): ExpertAssignment {
  if (workers.length === 0) return new Map();
  const totals = new Map(workers.toSorted().map((worker) => [worker, 0]));
  assert(totals.size === workers.length, "worker ids are unique");
  const plan = new Map<number, readonly WorkerId[]>();
  for (const [index, layer] of layers.entries()) {
    // Rounded up, so that what is left of all rooms together is always enough for the layers to come.
    const most = (worker: WorkerId) =>
      Math.ceil(((room.get(worker) ?? Number.POSITIVE_INFINITY) - (totals.get(worker) ?? 0)) / (layers.length - index));
    const owners = planLayer(previous.get(layer) ?? [], totals, expertCount, most);
    for (const owner of owners) totals.set(owner, (totals.get(owner) ?? 0) + 1);
    plan.set(layer, owners);
  }
  return plan;
}

function planLayer(
  previous: readonly (WorkerId | undefined)[],
  totals: ReadonlyMap<WorkerId, number>,
  expertCount: number,
  most: (worker: WorkerId) => number,
): readonly WorkerId[] {
  const owned = new Map([...totals.keys()].map((worker): [WorkerId, number[]] => [worker, []]));
  for (let expert = 0; expert < expertCount; expert += 1) {
    const owner = previous[expert];
    if (owner !== undefined) owned.get(owner)?.push(expert);
  }
  // Who owns most keeps most: each ceiling given to a worker above the floor saves one move.
  const count = (worker: WorkerId) => owned.get(worker)?.length ?? 0;
  const ordered = [...owned.keys()].sort(
    (a, b) => count(b) - count(a) || (totals.get(a) ?? 0) - (totals.get(b) ?? 0) || (a < b ? -1 : 1),
  );
  const quota = quotas(ordered, expertCount, most);
  const owners: (WorkerId | undefined)[] = new Array(expertCount).fill(undefined);
  for (const [worker, experts] of owned) {
    for (const expert of experts.slice(0, quota.get(worker))) owners[expert] = worker;
  }
  const vacancies = [...owned].flatMap(([worker, experts]) =>
    new Array<WorkerId>(Math.max(0, (quota.get(worker) ?? 0) - experts.length)).fill(worker),
  );
  let next = 0;
  return owners.map((owner) => {
    if (owner !== undefined) return owner;
    const taker = vacancies[next++];
    assert(taker !== undefined, "quotas add up to the expert count");
    return taker;
  });
}

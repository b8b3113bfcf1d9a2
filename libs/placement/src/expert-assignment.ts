import { assert, type WorkerId } from "@drover/core";

/** Who should hold each expert: by MoE layer, one owner for each expert in order. Empty when there is no worker to own one. */
export type ExpertAssignment = ReadonlyMap<number, readonly WorkerId[]>;

/** The same where some experts, or whole layers, have no owner yet. */
export type PartialAssignment = ReadonlyMap<number, readonly (WorkerId | undefined)[]>;

/** How many experts of one layer each worker should own; ceilings go to `first` in order. */
function quotas(ordered: readonly WorkerId[], expertCount: number): Map<WorkerId, number> {
  const floor = Math.floor(expertCount / ordered.length);
  const ceilingCount = expertCount - floor * ordered.length;
  return new Map(ordered.map((worker, index) => [worker, floor + (index < ceilingCount ? 1 : 0)]));
}

/**
 * Gives every expert of every layer exactly one of the workers: per layer the workers' counts differ by at most one, and no
 * plan with that property moves fewer experts away from their owners in `previous`. An expert whose owner is not among
 * `workers` counts as unowned. Ties even out the workers' totals over the layers, then go by id; experts that are new to
 * a worker come to it in ascending runs, because a fused tensor's experts lie side by side in the file.
 */
export function planExpertMap(
  previous: PartialAssignment,
  workers: readonly WorkerId[],
  layers: readonly number[],
  expertCount: number,
): ExpertAssignment {
  if (workers.length === 0) return new Map();
  const totals = new Map(workers.toSorted().map((worker) => [worker, 0]));
  assert(totals.size === workers.length, "worker ids are unique");
  const plan = new Map<number, readonly WorkerId[]>();
  for (const layer of layers) {
    const owners = planLayer(previous.get(layer) ?? [], totals, expertCount);
    for (const owner of owners) totals.set(owner, (totals.get(owner) ?? 0) + 1);
    plan.set(layer, owners);
  }
  return plan;
}

function planLayer(
  previous: readonly (WorkerId | undefined)[],
  totals: ReadonlyMap<WorkerId, number>,
  expertCount: number,
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
  const quota = quotas(ordered, expertCount);
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

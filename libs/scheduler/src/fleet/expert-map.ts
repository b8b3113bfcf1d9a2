import type { ModelId } from "@drover/core";
import type { ActiveExperts, ExpertMap, ExpertPlanner, Member } from "@drover/fleet";

/** The map of a leader that has planned nothing yet. */
export function emptyMap(modelId: ModelId, epoch: bigint): ExpertMap {
  return { modelId, epoch, complete: false, holders: [], experts: new Map() };
}

/** The planner's map, with where each of its holders is reached. */
export function expertMap(
  modelId: ModelId,
  { epoch, active, complete }: Pick<ExpertPlanner, "epoch" | "active" | "complete">,
  members: readonly Member[],
): ExpertMap {
  const named = namedIn(active);
  const holders = members
    .filter(({ profile }) => named.has(profile.workerId))
    .map(({ profile: { workerId, incarnation, address } }) => ({ workerId, incarnation, address, draining: false }));
  return { modelId, epoch, complete, holders, experts: active };
}

const namedIn = (active: ActiveExperts): ReadonlySet<string> => new Set([...active.values()].flat(2));

import type { Choice } from "./choice.ts";

/**
 * Choices that wait because another one computes the rows again that they all lack, each with the one that does. That is whoever has most of them, then one that is
 * urgent, then the oldest. Who finds no room computes nothing: another one does, and where none of them finds room each tries. `choices`: those that a step could serve.
 */
export function repairFollowers(choices: readonly Choice[]): ReadonlyMap<Choice, Choice> {
  const followers = new Map<Choice, Choice>();
  for (const [mended, group] of Map.groupBy(choices, ({ repair }) => repair?.mends)) {
    if (mended === undefined || group.length === 1) continue;
    const [leader] = group.filter(({ stalledSinceMs }) => stalledSinceMs === undefined).sort(byTurn);
    if (leader === undefined) continue;
    for (const choice of group) if (choice !== leader) followers.set(choice, leader);
  }
  return followers;
}

function byTurn(one: Choice, other: Choice): number {
  return other.computedCount - one.computedCount || Number(other.isUrgent) - Number(one.isUrgent) || one.id - other.id;
}

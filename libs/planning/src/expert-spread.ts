import type { WeightInventory } from "./inventory.ts";

/** What one holder of experts gets. */
export type ExpertShare = Readonly<{ expertCount: number; bytes: number }>;

/**
 * Spreads every layer's experts, `replicaCount` copies each, over `holderCount` workers as the scheduler does: in each layer the workers' counts
 * differ by at most one, and so do the totals of layers whose experts weigh the same. The copies of one expert are on different workers as long as
 * there are that many.
 */
export function spreadExperts(
  weights: WeightInventory,
  expertCount: number,
  holderCount: number,
  replicaCount: number,
): ExpertShare[] {
  const shares = Array.from({ length: holderCount }, () => ({ expertCount: 0, bytes: 0 }));
  let first = 0;
  for (const [expertBytes, layerCount] of layersByExpertBytes(weights)) {
    // Taking up where the last layer ended evens the totals, so layers of one weight are one run.
    const copies = layerCount * expertCount * replicaCount;
    const each = Math.floor(copies / holderCount);
    const more = copies % holderCount;
    shares.forEach((share, holder) => {
      const count = each + ((holder - first + holderCount) % holderCount < more ? 1 : 0);
      share.expertCount += count;
      share.bytes += count * expertBytes;
    });
    first = (first + more) % holderCount;
  }
  return shares;
}

function layersByExpertBytes(weights: WeightInventory): Map<number, number> {
  const groups = new Map<number, number>();
  for (const { expertBytes } of weights.layers)
    if (expertBytes > 0) groups.set(expertBytes, (groups.get(expertBytes) ?? 0) + 1);
  return groups;
}

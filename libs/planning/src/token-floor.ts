import type { ModelShape } from "@drover/llama4";
import type { FleetLayout } from "./fleet-layout.ts";
import type { WeightInventory } from "./inventory.ts";
import { CARD_STEP_FACTOR } from "./limits.ts";

/** The least time that a step can take for its bytes alone. */
export type StepFloor = Readonly<{
  batchSize: number;
  /** Different experts of one layer that the batch needs, when tokens choose them evenly. */
  expertsTouched: number;
  /** Weights that the whole fleet reads. */
  weightBytes: number;
  /** KV that the whole fleet reads. */
  kvBytes: number;
  /** The time of one step, in which every sequence gets one token. */
  stepMs: number;
  tokensPerSecond: number;
  /** The time of one step as cards were measured to take it. */
  cardStepMs: number;
  cardTokensPerSecond: number;
}>;

/** Different experts among `expertCount` when `batchSize` tokens choose one each, evenly: E (1 - (1 - 1/E)^B). Real choices are fewer. */
function expertsTouched(expertCount: number, batchSize: number): number {
  return expertCount * (1 - (1 - 1 / expertCount) ** batchSize);
}

/**
 * A step's floor from bytes and bandwidth: layers follow one another; in each the busiest attention worker reads its weights and its sequences' KV,
 * and the busiest holder of experts its share of those touched, at least one. Where holders are other workers, the shared expert is computed
 * meanwhile. Network, kernels and arithmetic are not in it. `bandwidth` is of one GPU, in bytes a second.
 */
export function stepFloor(
  model: ModelShape,
  weights: WeightInventory,
  layout: FleetLayout,
  batch: Readonly<{ size: number; kvBytesEach: number }>,
  bandwidth: number,
): StepFloor {
  const { byKind } = weights;
  const headBytes = model.tieWordEmbeddings && byKind.head.bytes === 0 ? byKind.embedding.bytes : byKind.head.bytes;
  const attending = Math.min(layout.attentionCount, batch.size);
  const holderCount = layout.workers.filter(({ expertCount }) => expertCount > 0).length;
  const touched = expertsTouched(model.expertCount, batch.size);
  const busiest = Math.max(1, touched / holderCount);
  let serialBytes = headBytes + Math.ceil(batch.size / attending) * batch.kvBytesEach;
  let weightBytes = headBytes * attending;
  for (const { residentBytes, sharedBytes, expertBytes } of weights.layers) {
    const routed = expertBytes * busiest;
    serialBytes += residentBytes + (layout.together ? sharedBytes + routed : Math.max(sharedBytes, routed));
    weightBytes += (residentBytes + sharedBytes) * attending + expertBytes * touched;
  }
  const seconds = serialBytes / bandwidth;
  return {
    batchSize: batch.size,
    expertsTouched: touched,
    weightBytes,
    kvBytes: batch.size * batch.kvBytesEach,
    stepMs: seconds * 1000,
    tokensPerSecond: batch.size / seconds,
    cardStepMs: CARD_STEP_FACTOR * seconds * 1000,
    cardTokensPerSecond: batch.size / seconds / CARD_STEP_FACTOR,
  };
}

import type { Engine } from "@drover/engine";
import { ENGINE_LIMITS } from "@drover/engine";

/** The fields of a worker's status that tell placement how long a new request would take there. */
export function predictedLoad(engine: Pick<Engine, "costs" | "waitingPromptMs">) {
  const costs = engine.costs();
  return {
    costs: { $typeName: "drover.internal.v1.StepCosts", ...costs } as const,
    pendingPromptMs: summedBeyond(engine.waitingPromptMs(), ENGINE_LIMITS.reportedPromptsMax),
  };
}

/** At most `count` numbers of an ascending list; the last one holds all that would follow. */
export function summedBeyond(ascending: readonly number[], count: number): number[] {
  if (ascending.length <= count) return [...ascending];
  const rest = ascending.slice(count - 1).reduce((sum, ms) => sum + ms, 0);
  return [...ascending.slice(0, count - 1), rest];
}

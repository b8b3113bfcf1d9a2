import type { Engine } from "@drover/engine";
import type { WorkerStatus } from "@drover/fleet";
import { REPORTED_PROMPTS_MAX } from "../../limits.ts";

/** The part of a worker's status that tells placement how long a new request would take there. */
export function predictedLoad(engine: Pick<Engine, "costs" | "waitingPromptMs">): Partial<WorkerStatus> {
  return {
    costs: engine.costs(),
    pendingPromptMs: summedBeyond(engine.waitingPromptMs(), REPORTED_PROMPTS_MAX),
  };
}

/** At most `count` numbers of an ascending list; the last one holds all that would follow. */
function summedBeyond(ascending: readonly number[], count: number): readonly number[] {
  if (ascending.length <= count) return ascending;
  const rest = ascending.slice(count - 1).reduce((sum, ms) => sum + ms, 0);
  return [...ascending.slice(0, count - 1), rest];
}

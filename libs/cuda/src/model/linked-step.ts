import type { StepLinks } from "../links/step-links.ts";
import { LostRuns } from "./lost-runs.ts";
import type { RowRun } from "./step-rows.ts";
import type { AwayRows } from "./step-sections.ts";

/** A step whose rows go to other cards by themselves: over how many links, and what says, once it has ended, what came of them. `experts` [rows, MoE layers]. */
type LinkedStep = Readonly<{ count: number; end: (experts: Uint16Array, runs: readonly RowRun[]) => AwayRows }>;

/** Begins such a step; undefined where its rows go the way of all others. */
export function linkedStep(links: StepLinks | undefined): LinkedStep | undefined {
  const count = links?.begin();
  if (links === undefined || count === undefined) return undefined;
  const end = (experts: Uint16Array, runs: readonly RowRun[]) => {
    const lost = new LostRuns(runs);
    const answer = links.end(experts, lost.rowCount);
    lost.add(answer.lost);
    return { lost: lost.runs, exchangeMs: answer.exchangeMs };
  };
  return { count, end };
}

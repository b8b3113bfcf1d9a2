import type { TraceCall } from "@drover/core";
import { LostRuns } from "./lost-runs.ts";
import type { StepExchange } from "./step-exchange.ts";
import type { RowRun } from "./step-rows.ts";

/** What enqueues a step's sections, and what is computed between two of them while rows are away. */
export type StepSections = Readonly<{ section: (index: number) => void; meanwhile: (index: number) => void }>;

/** The runs that were lost on the way, by their places, and how long the step waited for other workers. */
export type AwayRows = Readonly<{ lost: ReadonlySet<number>; exchangeMs: number }>;

/**
 * Enqueues all sections of a step, and between two of them waits for rows that are away; without an exchange there is one section. Where no run is left that has
 * all of its rows, the rest is not computed. Errors: the card's.
 */
export async function runSections(
  { section, meanwhile }: StepSections,
  runs: readonly RowRun[],
  exchange: StepExchange | undefined,
  traceCall: TraceCall | undefined,
): Promise<AwayRows> {
  const lost = new LostRuns(runs);
  let exchangeMs = 0;
  section(0);
  for (let index = 0; exchange !== undefined && index < exchange.count; index++) {
    exchange.mark();
    meanwhile(index);
    await exchange.given();
    const began = performance.now();
    lost.add(await exchange.exchange(index, lost, traceCall));
    exchangeMs += performance.now() - began;
    if (lost.runs.size === runs.length) break;
    section(index + 1);
  }
  return { lost: lost.runs, exchangeMs };
}

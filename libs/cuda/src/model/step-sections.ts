import type { TraceCall } from "@drover/core";
import { LostRuns } from "./lost-runs.ts";
import type { RowRun } from "./step-rows.ts";

/** Where a step waits for other workers: for what its rows attend to in a global layer, or for what a layer's experts make of them; `place`: the layer's among those of that kind. */
export type StepStop = Readonly<{ kind: "stripes" | "experts"; layer: number; place: number }>;

/** Rows of a step on their way to other workers and back. */
export type AwayPort = Readonly<{
  /** Marks where rows are given, on the stream: to be called before what is computed meanwhile is enqueued. */
  mark(): void;
  /** Waits until the rows are given. */
  given(): Promise<void>;
  /** Sends the rows that were given, but for those that are lost already, and waits for the answers. Returns the rows that have none. */
  exchange(place: number, lost: LostRuns, traceCall: TraceCall | undefined): Promise<readonly number[]>;
}>;

/** What enqueues a step's sections, and what is computed between two of them while rows are away. */
export type StepSections = Readonly<{ section: (index: number) => void; meanwhile: (index: number) => void }>;

/** The runs that were lost on the way, by their places, and how long the step waited for other workers. */
export type AwayRows = Readonly<{ lost: ReadonlySet<number>; exchangeMs: number }>;

export const NONE_AWAY: AwayRows = { lost: new Set(), exchangeMs: 0 };

/**
 * Enqueues all sections of a step, and between two of them waits at a stop for rows that are away; without stops there is one section. Where no run is left that has
 * all of its rows, the rest is not computed. Errors: the card's.
 */
export async function runSections(
  { section, meanwhile }: StepSections,
  runs: readonly RowRun[],
  stops: readonly StepStop[],
  portOf: (kind: StepStop["kind"]) => AwayPort,
  traceCall: TraceCall | undefined,
): Promise<AwayRows> {
  const lost = new LostRuns(runs);
  let exchangeMs = 0;
  section(0);
  for (const [index, { kind, place }] of stops.entries()) {
    const port = portOf(kind);
    port.mark();
    meanwhile(index);
    await port.given();
    const began = performance.now();
    lost.add(await port.exchange(place, lost, traceCall));
    exchangeMs += performance.now() - began;
    if (lost.runs.size === runs.length) break;
    section(index + 1);
  }
  return { lost: lost.runs, exchangeMs };
}

import type { TraceCall } from "@drover/core";
import type { ShownStep } from "./request-trace.ts";
import { type ReservedRows, rowCounts } from "./step-entry.ts";

/** What a traced step is told: how its calls begin spans. It ends with the step. */
export type StepTrace = Disposable & Readonly<{ call: TraceCall | undefined }>;

/**
 * Tells the traced requests of a step that it serves them. The first request that shows a step now gets a span of this one, and under it one for
 * each of the step's calls to other workers.
 */
export function traceStep(batch: readonly ReservedRows[]): StepTrace {
  let shown: ShownStep | undefined;
  for (const { choice } of batch) {
    const { trace } = choice.request;
    trace?.served();
    shown ??= trace?.step();
  }
  if (shown !== undefined) {
    const { rowCount, decodeCount } = rowCounts(batch);
    shown.span.attributes({ "drover.rows": rowCount, "drover.decode_rows": decodeCount });
  }
  return { call: shown?.call, [Symbol.dispose]: () => shown?.span.end() };
}

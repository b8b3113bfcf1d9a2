import type { TraceCall } from "@drover/core";
import type { Choice } from "./choice.ts";
import type { ShownStep } from "./generation-trace.ts";

/** What a traced step is told: how its calls begin spans. It ends with the step. */
export type StepTrace = Disposable & Readonly<{ call: TraceCall | undefined }>;

/**
 * Tells the traced requests of a step that it serves them. The first request that shows a step now gets a span of this one, and under it one for
 * each of the step's calls to other workers.
 */
export function traceStep(
  choices: readonly Choice[],
  { rowCount, decodeCount }: Readonly<{ rowCount: number; decodeCount: number }>,
): StepTrace {
  let shown: ShownStep | undefined;
  for (const { request } of choices) {
    request.trace?.served();
    shown ??= request.trace?.step();
  }
  shown?.span.attributes({ "drover.rows": rowCount, "drover.decode_rows": decodeCount });
  return { call: shown?.call, [Symbol.dispose]: () => shown?.span.end() };
}

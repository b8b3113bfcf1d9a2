import type { ExchangeRequest, ExchangeResult, ExpertExchange, TraceCall } from "@drover/core";
import type { ShownStep } from "./request-trace.ts";
import { type ReservedRows, rowCounts } from "./step-entry.ts";

/**
 * Tells the traced requests of a step that it serves them, and returns the step's exchange. The first request that shows a step now gets a span
 * of this one, and under it one for each call; it ends with the exchange.
 */
export function traceStep(batch: readonly ReservedRows[], exchange: ExpertExchange): StepExchange {
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
  return new StepExchange(exchange, shown);
}

class StepExchange implements ExpertExchange, Disposable {
  readonly #inner: ExpertExchange;
  readonly #shown: ShownStep | undefined;

  constructor(inner: ExpertExchange, shown: ShownStep | undefined) {
    this.#inner = inner;
    this.#shown = shown;
  }

  get usable(): boolean {
    return this.#inner.usable;
  }

  get traceCall(): TraceCall | undefined {
    return this.#shown?.call;
  }

  exchange(request: ExchangeRequest, signal: AbortSignal): Promise<ExchangeResult> {
    const { traceCall } = this;
    return this.#inner.exchange(traceCall === undefined ? request : { ...request, traceCall }, signal);
  }

  [Symbol.dispose](): void {
    this.#shown?.span.end();
  }
}

import {
  assert,
  type ErrorCode,
  type SpanAttributes,
  type SpanOptions,
  type TraceContext,
  type TraceSpan,
} from "@drover/core";
import { type Span, SpanStatusCode } from "@opentelemetry/api";
import { contextOf } from "./remote-context.ts";

type StartChild = (name: string, options: SpanOptions | undefined) => TraceSpan | undefined;

/** A recorded span of OpenTelemetry. */
export class OtlpSpan implements TraceSpan {
  readonly context: TraceContext;
  readonly #span: Span;
  readonly #startChild: StartChild;
  #ended = false;

  constructor(span: Span, startChild: StartChild) {
    this.#span = span;
    this.#startChild = startChild;
    this.context = contextOf(span.spanContext());
  }

  child(name: string, options?: SpanOptions): TraceSpan {
    const child = this.#startChild(name, options);
    assert(child !== undefined, "what is under a recorded span is recorded");
    return child;
  }

  attributes(values: SpanAttributes): void {
    this.#span.setAttributes({ ...values });
  }

  event(name: string, values: SpanAttributes = {}): void {
    this.#span.addEvent(name, { ...values });
  }

  end(fault?: ErrorCode, endedAtMs?: number): void {
    if (this.#ended) return;
    this.#ended = true;
    if (fault !== undefined) {
      this.#span.setAttribute("error.type", fault);
      // Who leaves has made no error, and messages may hold what a client wrote.
      if (fault !== "cancelled") this.#span.setStatus({ code: SpanStatusCode.ERROR, message: fault });
    }
    this.#span.end(endedAtMs);
  }
}

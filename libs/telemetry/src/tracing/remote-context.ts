import type { TraceContext } from "@drover/core";
import { type Context, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import { parseTraceParent, TraceState } from "@opentelemetry/core";
import { TRACEPARENT_LENGTH_MAX, TRACESTATE_LENGTH_MAX } from "../limits.ts";

/** Another process's span as a parent; undefined where the headers are none or make no sense: W3C asks to begin anew then. */
export function remoteContext({ traceparent, tracestate }: Partial<TraceContext>): Context | undefined {
  if (traceparent === undefined || traceparent === "" || traceparent.length > TRACEPARENT_LENGTH_MAX) return undefined;
  const parsed = parseTraceParent(traceparent);
  if (parsed === null) return undefined;
  const state = tracestate !== undefined && tracestate !== "" && tracestate.length <= TRACESTATE_LENGTH_MAX;
  return trace.setSpanContext(ROOT_CONTEXT, {
    ...parsed,
    isRemote: true,
    ...(state && { traceState: new TraceState(tracestate) }),
  });
}

/** A span as the headers say it. */
export function contextOf({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const flags = traceFlags.toString(16).padStart(2, "0");
  return { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: traceState?.serialize() ?? "" };
}

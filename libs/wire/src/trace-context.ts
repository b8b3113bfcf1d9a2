import type { TraceContext } from "@drover/core";

/** The span of a message that has one. In messages its two headers stand beside other fields, empty where nothing is traced. */
export function traceFromWire({ traceparent, tracestate }: TraceContext): Readonly<{ trace?: TraceContext }> {
  return traceparent === "" ? {} : { trace: { traceparent, tracestate } };
}

/** What a message says of what nobody traces. */
export const NO_TRACE = { traceparent: "", tracestate: "" } as const;

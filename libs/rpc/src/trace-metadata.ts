import type { TraceContext } from "@drover/core";
import { Metadata } from "@grpc/grpc-js";

/** A span as the metadata of a call, in W3C's headers; empty without one. */
export function traceMetadata(trace: TraceContext | undefined): Metadata {
  return trace === undefined ? new Metadata() : setTrace(new Metadata(), trace);
}

/** Puts a span into a call's metadata. */
export function setTrace(metadata: Metadata, trace: TraceContext): Metadata {
  metadata.set("traceparent", trace.traceparent);
  if (trace.tracestate !== "") metadata.set("tracestate", trace.tracestate);
  return metadata;
}

/** The caller's span; undefined where it has named none. */
export function traceOf(metadata: Metadata): TraceContext | undefined {
  const [traceparent] = metadata.get("traceparent");
  if (typeof traceparent !== "string") return undefined;
  // Several headers of the name are one list.
  return { traceparent, tracestate: metadata.get("tracestate").join(",") };
}

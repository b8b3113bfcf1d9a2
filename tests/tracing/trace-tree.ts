import type { CollectedSpan } from "@drover/telemetry";

/** Spans by the trace that they belong to. */
export function tracesOf(spans: readonly CollectedSpan[]): Map<string, CollectedSpan[]> {
  return Map.groupBy(spans, ({ traceId }) => traceId);
}

/** Spans whose parent nobody has sent, and how many hang under the client's own. */
export function whole(spans: readonly CollectedSpan[], clientSpan: string): { orphans: string[]; roots: number } {
  const known = new Set([clientSpan, ...spans.map(({ spanId }) => spanId)]);
  const isOrphan = ({ parentSpanId }: CollectedSpan) => parentSpanId === undefined || !known.has(parentSpanId);
  return {
    orphans: spans.filter(isOrphan).map(({ name }) => name),
    roots: spans.filter(({ parentSpanId }) => parentSpanId === clientSpan).length,
  };
}

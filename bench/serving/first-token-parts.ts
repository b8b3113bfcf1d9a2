import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { CollectedSpan, FakeCollector } from "@drover/telemetry";

/** Where the time between a request and its first token goes, in the order in which it passes. */
export const PARTS = [
  "to the router",
  "read, tokenized, added to the queue",
  "in the queue",
  "handed to the worker",
  "waits for a step",
  "steps of its prompt",
  "back to the client",
] as const;
type Part = (typeof PARTS)[number];

/** One request as its client saw it: milliseconds since the Unix epoch, and the trace that it asked for. */
export type TracedRequest = Readonly<{ traceId: string; askedAtMs: number; firstAtMs: number }>;

/** Milliseconds of each part, and rows of others in the first step that served its prompt. */
export type FirstTokenParts = Readonly<Record<Part, number>> & Readonly<{ firstMs: number; rowsBeside: number }>;

const EXPORTED_MS_MAX = 15_000;
const POLL_MS = 100;

/** A header with which a client has its request traced, and the trace's id. */
export function sampledTrace(): Readonly<{ traceId: string; traceparent: string }> {
  const traceId = randomBytes(16).toString("hex");
  return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-01` };
}

/** The parts of these requests, once the cluster has sent all of their spans. Errors: they do not come. */
export async function firstTokenParts(
  collector: FakeCollector,
  requests: readonly TracedRequest[],
): Promise<FirstTokenParts[]> {
  const until = performance.now() + EXPORTED_MS_MAX;
  for (;;) {
    const byTrace = Map.groupBy(collector.spans, ({ traceId }) => traceId);
    const found = requests.flatMap((request) => partsOf(request, byTrace.get(request.traceId) ?? []) ?? []);
    if (found.length === requests.length) {
      collector.spans.length = 0;
      return found;
    }
    if (performance.now() > until)
      throw new Error(`of ${requests.length} requests ${found.length} have sent all of their spans`);
    await sleep(POLL_MS);
  }
}

/** Undefined where a span has not come yet. */
function partsOf({ askedAtMs, firstAtMs }: TracedRequest, spans: readonly CollectedSpan[]) {
  const span = (service: string, name: string) =>
    spans.find((one) => one.service === `drover-${service}` && one.name === name);
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const served = spans.find(
    (one) => one.service === "drover-router" && one.parentSpanId !== undefined && !ids.has(one.parentSpanId),
  );
  const queued = span("scheduler", "queue");
  const accepted = span("worker", "generate");
  const prefill = span("worker", "prefill");
  const step = spans.find(({ name, parentSpanId }) => name === "step" && parentSpanId === prefill?.spanId);
  if (!(served && queued && accepted && prefill && step)) return undefined;
  const times = [
    askedAtMs,
    startOf(served),
    startOf(queued),
    endOf(queued),
    startOf(accepted),
    startOf(prefill),
    endOf(prefill),
    firstAtMs,
  ];
  const parts = Object.fromEntries(PARTS.map((part, i) => [part, (times[i + 1] ?? 0) - (times[i] ?? 0)]));
  const own = Math.min(numberOf(accepted, "drover.prompt_tokens"), numberOf(step, "drover.rows"));
  const rowsBeside = numberOf(step, "drover.rows") - own;
  return { ...(parts as Record<Part, number>), firstMs: firstAtMs - askedAtMs, rowsBeside };
}

const startOf = ({ startTimeUnixNano }: CollectedSpan): number => Number(startTimeUnixNano) / 1e6;
const endOf = ({ endTimeUnixNano }: CollectedSpan): number => Number(endTimeUnixNano) / 1e6;
const numberOf = ({ attributes }: CollectedSpan, key: string): number =>
  Number(attributes.find((one) => one.key === key)?.value.intValue);

import type { ErrorCode } from "../errors.ts";

/** Where a span stands in its trace, as the headers of the same names say it. Source: W3C Trace Context. */
export type TraceContext = Readonly<{ traceparent: string; tracestate: string }>;

/** What is said of a span: counts, ids and names, never a text of a client's or a key. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export type SpanOptions = Readonly<{
  /** The side of a call that the span is: `server` answers another process, `client` asks one; neither, unless given. */
  kind?: "server" | "client" | "producer" | "consumer";
  attributes?: SpanAttributes;
  /** Unix milliseconds; now, unless given. */
  beganAtMs?: number;
}>;

/** A span that is recorded. Everything here is cheap and never throws. */
export interface TraceSpan {
  /** What another process is told, so that its spans come under this one. */
  readonly context: TraceContext;
  child(name: string, options?: SpanOptions): TraceSpan;
  attributes(values: SpanAttributes): void;
  /** Something that happened now. */
  event(name: string, values?: SpanAttributes): void;
  /** Ends it, at Unix milliseconds `endedAtMs` or now; with a code it has failed. Only the first call counts. */
  end(fault?: ErrorCode | undefined, endedAtMs?: number): void;
}

/** Where spans begin. Undefined is a span that nobody records: most requests are not sampled. */
export interface Tracer {
  /** A request's first span here: under its client's where that says so, which then also says whether it is recorded; else a sampled one is. */
  begin(name: string, client: Partial<TraceContext>, options?: SpanOptions): TraceSpan | undefined;
  /** A span under another process's, where that one is recorded. */
  join(name: string, parent: TraceContext | undefined, options?: SpanOptions): TraceSpan | undefined;
}

/** Begins a span for a step's call to another worker; undefined where the step has shown too many. */
export type TraceCall = (name: string, attributes: SpanAttributes) => TraceSpan | undefined;

/** Records nothing. */
export const noTracer: Tracer = { begin: () => undefined, join: () => undefined };

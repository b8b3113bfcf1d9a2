import { silentLogger } from "@drover/core";
import { describe, expect, it } from "vitest";
import { openTracing } from "./open-tracing.ts";
import { FakeCollector } from "./testing/fake-collector.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
/** A time of the epoch: OpenTelemetry takes a number below the process's age for one that counts from its start. */
const BEGAN_AT_MS = 1_700_000_000_000;
const sampled = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`, tracestate: "vendor=1" };
const unsampled = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-00` };

const open = (otlpEndpoint: string | undefined, traceRatio = 1) =>
  openTracing({ otlpEndpoint, traceRatio, process: "test", instance: "one", logger: silentLogger });

describe("tracing", () => {
  it("sends a client's trace on, with its state, and what hangs under it", async () => {
    await using collector = await FakeCollector.start();
    {
      await using tracing = await open(collector.url, 0);
      const span = tracing.tracer.begin("request", sampled, { kind: "server", attributes: { "drover.tokens": 3 } });
      expect(span?.context.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`));
      expect(span?.context.tracestate).toBe("vendor=1");
      const far = tracing.tracer.join("far", span?.context);
      far?.end("unavailable");
      span?.child("near", { beganAtMs: BEGAN_AT_MS }).end(undefined, BEGAN_AT_MS + 1000);
      span?.end();
    }
    const spans = Object.fromEntries(collector.spans.map((span) => [span.name, span]));
    expect(Object.keys(spans).sort()).toEqual(["far", "near", "request"]);
    expect(spans.request).toMatchObject({ traceId: TRACE_ID, parentSpanId: "b7ad6b7169203331", kind: 2 });
    expect(spans.request?.service).toBe("drover-test");
    expect(spans.near?.parentSpanId).toBe(spans.request?.spanId);
    expect(spans.far?.parentSpanId).toBe(spans.request?.spanId);
    expect(spans.far?.status).toEqual({ code: 2, message: "unavailable" });
    expect(spans.near?.startTimeUnixNano).toBe(`${BEGAN_AT_MS}000000`);
  });

  it("records nothing that its client does not want recorded, nor what nobody else has begun", async () => {
    await using tracing = await open("http://127.0.0.1:1");
    expect(tracing.tracer.begin("request", unsampled)).toBeUndefined();
    expect(tracing.tracer.join("work", undefined)).toBeUndefined();
    expect(tracing.tracer.join("work", { traceparent: "", tracestate: "" })).toBeUndefined();
  });

  it("begins a trace of its own where a client's header makes no sense", async () => {
    await using tracing = await open("http://127.0.0.1:1");
    for (const traceparent of ["nonsense", `00-${"0".repeat(32)}-b7ad6b7169203331-01`, "0".repeat(10_000)]) {
      const span = tracing.tracer.begin("request", { traceparent });
      expect(span?.context.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    }
  });

  it("samples so many of those that no client speaks for", async () => {
    await using none = await open("http://127.0.0.1:1", 0);
    await using all = await open("http://127.0.0.1:1", 1);
    expect(none.tracer.begin("request", {})).toBeUndefined();
    expect(all.tracer.begin("request", {})).toBeDefined();
  });

  it("loses spans and nothing else when the collector is away or does not answer", async () => {
    await using collector = await FakeCollector.start({ answers: false });
    const lose = async (url: string) => {
      await using tracing = await open(url);
      for (let i = 0; i < 5000; i++) tracing.tracer.begin("request", {})?.end();
    };
    await Promise.all([lose("http://127.0.0.1:1"), lose(collector.url)]);
    expect(collector.spans).toEqual([]);
  });

  it("names an endpoint that is no URL", async () => {
    await expect(open("collector:4318")).rejects.toMatchObject({ code: "invalid_argument", field: "otlp-endpoint" });
  });

  it("is nothing at all without an endpoint", async () => {
    await using tracing = await open(undefined);
    expect(tracing.tracer.begin("request", sampled)).toBeUndefined();
  });
});

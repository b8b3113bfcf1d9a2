import { create } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { serviceDefinition } from "@drover/rpc";
import { type CollectedSpan, FakeCollector } from "@drover/telemetry";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { credentials, Metadata, makeGenericClientConstructor } from "@grpc/grpc-js";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "../e2e/test-cluster.ts";
import { tracesOf, whole } from "./trace-tree.ts";

const binary = redisBinary();
if (binary === undefined && process.env.CI) throw new Error("these tests need redis-server or valkey-server");

const CLIENT_SPAN = "00f067aa0ba902b7";

/** The trace of the nth client that asks for one. */
const traceId = (n: number) => `4bf92f3577b34da6a3ce929d0e0e${4736 + n}`;
const traceparent = (n: number) => `00-${traceId(n)}-${CLIENT_SPAN}-01`;
const PROMPT = "the secret of the sampled client";

const ask = (cluster: TestCluster, headers: Record<string, string>, fields: Record<string, unknown> = {}) =>
  fetch(`${cluster.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "nano", prompt: PROMPT, max_tokens: 8, temperature: 0, ignore_eos: true, ...fields }),
  });

async function askAboutImage(cluster: TestCluster, parent: string): Promise<Response> {
  const png = await sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  const url = `data:image/png;base64,${png.toString("base64")}`;
  const content = [
    { type: "image_url", image_url: { url } },
    { type: "text", text: "What is it?" },
  ];
  return fetch(`${cluster.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", traceparent: parent },
    body: JSON.stringify({ model: "nano", messages: [{ role: "user", content }], max_tokens: 4 }),
  });
}

const start = (collector: FakeCollector, flags: readonly string[] = [], queue = "embedded") =>
  TestCluster.start({
    queue,
    expertWorkers: 2,
    flags: ["--otlp-endpoint", collector.url, "--trace-ratio", "0", ...flags],
  });

/** What every traced request has, whatever carries it. */
function expectWholeTrace(spans: readonly CollectedSpan[]): void {
  const names = new Map<string, CollectedSpan[]>();
  for (const span of spans)
    names.set(`${span.service} ${span.name}`, [...(names.get(`${span.service} ${span.name}`) ?? []), span]);
  for (const name of [
    "drover-router tokenize",
    "drover-scheduler queue",
    "drover-scheduler place",
    "drover-worker generate",
    "drover-worker wait",
    "drover-worker prefill",
    "drover-worker decode",
    "drover-worker step",
    "drover-worker expert call",
    "drover-worker experts",
  ])
    expect(names.has(name), `${name} is missing of ${[...names.keys()].join(", ")}`).toBe(true);
  expect(whole(spans, CLIENT_SPAN)).toEqual({ orphans: [], roots: 1 });
  // Each call came to its worker.
  expect(names.get("drover-worker experts")).toHaveLength(names.get("drover-worker expert call")?.length ?? 0);
  expect(names.get("drover-worker decode")?.[0]?.events.map(({ name }) => name)).toEqual(["first_token"]);
  // One step of the prefill, one of the decoding, of however many tokens.
  expect(names.get("drover-worker step")).toHaveLength(2);
  expect(JSON.stringify(spans)).not.toContain("secret");
}

describe("a traced request is one connected trace from its client to the experts", () => {
  describe("with the embedded queue", () => {
    const [LONG, IMAGE, WRONG] = [1, 2, 3];
    let traces: ReadonlyMap<string, readonly CollectedSpan[]>;

    // Spans are whole once the processes that had them have ended.
    beforeAll(async () => {
      await using collector = await FakeCollector.start();
      {
        await using cluster = await start(collector, ["--vision-workers", "1"]);
        const traced = await ask(
          cluster,
          { traceparent: traceparent(LONG), tracestate: "vendor=7" },
          { max_tokens: 100 },
        );
        expect(traced.status, cluster.output).toBe(200);
        await traced.text();
        await (await ask(cluster, { traceparent: `00-${"1".repeat(32)}-${CLIENT_SPAN}-00` })).text();
        await (await ask(cluster, {})).text();
        const seen = await askAboutImage(cluster, traceparent(IMAGE));
        expect(seen.status, cluster.output).toBe(200);
        await seen.text();
        expect((await ask(cluster, { traceparent: traceparent(WRONG) }, { temperature: -1 })).status).toBe(400);
      }
      traces = tracesOf(collector.spans);
    });
    const spansOf = (n: number) => traces.get(traceId(n)) ?? [];

    test("over HTTP, also of a long answer; what is not sampled leaves nothing", () => {
      expect([...traces.keys()].sort()).toEqual([LONG, IMAGE, WRONG].map(traceId));
      const spans = spansOf(LONG);
      expectWholeTrace(spans);
      const request = spans.find(({ name }) => name === "POST /v1/completions");
      expect(request).toMatchObject({ parentSpanId: CLIENT_SPAN, traceState: "vendor=7" });
      expect(spans.filter(({ name }) => name === "experts").every(({ traceState }) => traceState === "vendor=7")).toBe(
        true,
      );
    });

    test("with the encoding of its images, on a worker apart from the one that fetches them", () => {
      const spans = spansOf(IMAGE);
      expect(whole(spans, CLIENT_SPAN)).toEqual({ orphans: [], roots: 1 });
      const names = spans.map(({ service, name }) => `${service} ${name}`);
      expect(names).toEqual(
        expect.arrayContaining([
          "drover-router image",
          "drover-router encode images",
          "drover-worker encode",
          "drover-worker fetch features",
        ]),
      );
    });

    test("an error is one at every span that it ends", () => {
      const request = spansOf(WRONG).find(({ name }) => name === "POST /v1/completions");
      expect(request?.status).toEqual({ code: 2, message: "invalid_argument" });
    });
  });

  test.skipIf(binary === undefined)(
    "over gRPC with Redis, and with KV on other workers (needs redis-server or valkey-server)",
    async () => {
      await using collector = await FakeCollector.start();
      await using redis = new TestRedis(binary ?? "", await freePort());
      await redis.start();
      {
        await using cluster = await start(collector, ["--context-workers", "1", "--stripe-above", "1000"], redis.url);
        const Client = makeGenericClientConstructor(serviceDefinition(publicApi.Inference), "Inference");
        const client = new Client(`127.0.0.1:${cluster.grpcPort}`, credentials.createInsecure());
        const metadata = new Metadata();
        metadata.set("traceparent", traceparent(0));
        const request = create(publicApi.GenerateRequestSchema, {
          model: "nano",
          prompt: { case: "text", value: PROMPT.repeat(600) },
        });
        const call = client.generate?.(request, metadata);
        const replies: publicApi.GenerateReply[] = await Array.fromAsync(call);
        expect(replies.filter(({ finishReason }) => finishReason !== "")).toHaveLength(1);
        expect(replies.at(-1)?.usage?.completionTokens).toBeGreaterThan(0);
        client.close();
      }
      const spans = tracesOf(collector.spans).get(traceId(0)) ?? [];
      expectWholeTrace(spans);
      expect(spans.map(({ name }) => name)).toEqual(
        expect.arrayContaining(["drover.v1.Inference/Generate", "context call", "attend"]),
      );
    },
  );

  test("a collector that is away changes no answer", async () => {
    await using cluster = await TestCluster.start({
      expertWorkers: 1,
      flags: ["--otlp-endpoint", `http://127.0.0.1:${await freePort()}`, "--trace-ratio", "1"],
    });
    for (let i = 0; i < 5; i++) expect((await ask(cluster, {})).status).toBe(200);
  });
});

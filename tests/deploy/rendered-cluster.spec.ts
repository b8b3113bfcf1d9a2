import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CHART, renderChart } from "./chart.ts";
import { RenderedCluster } from "./cluster/rendered-cluster.ts";
import { canRunPods, hasDeployTools, NEEDED } from "./tools.ts";

const allowed = canRunPods();
if (process.env.CI && !allowed) throw new Error("CI must be allowed to make namespaces and mounts, and have Redis");

const READY_MS = 120_000;
const NANO = join(CHART, "values-nano.yaml");
const PROMPT = "What is the capital of France?";
const ANSWER = "The capital of France is Paris.";

describe.skipIf(!hasDeployTools || !allowed)(`the nano profile's pods (${NEEDED}, and root)`, () => {
  test("run as the manifests say, and answer over HTTP and gRPC", { timeout: 180_000 }, async () => {
    await using cluster = await RenderedCluster.start(await renderChart({ values: [NANO] }));
    await cluster.ready(READY_MS);
    const { address } = cluster.pod("router");
    const body = JSON.stringify({ model: "nano", messages: [{ role: "user", content: PROMPT }], temperature: 0 });
    const headers = { "content-type": "application/json" };
    const url = `http://${address}:8080/v1/chat/completions`;
    const reply = await cluster.node.ask({ kind: "http", url, headers, body, timeoutMs: 60_000 });
    expect(reply.text).toContain(ANSWER);
    const chat = await cluster.node.ask({ kind: "chat", address: `${address}:50051`, model: "nano", prompt: PROMPT });
    expect(chat.text).toBe(ANSWER);
    cluster.check();
  });
});

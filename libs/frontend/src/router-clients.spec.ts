import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import { FinishReason } from "@drover/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Router } from "./router.ts";
import { FakeCluster, FakeWorker } from "./testing/fake-cluster.ts";
import { startTestRouter } from "./testing/test-router.ts";

const EOS = 257;
const started = (...startIndices: number[]) => ({ case: "started", value: { startIndices } }) as const;

let cluster: FakeCluster;
let worker: FakeWorker;
let router: Router | undefined;
let url = "";

async function startRouter(requestsMax = 4): Promise<void> {
  const started = await startTestRouter(cluster, { requestsMax });
  ({ router, url } = started);
  await started.ready;
}

const post = (path: string, body: unknown) => fetch(url + path, { method: "POST", body: JSON.stringify(body) });

beforeEach(async () => {
  cluster = await new FakeCluster().start();
  worker = await new FakeWorker("w").start();
  cluster.show([worker]);
});

afterEach(async () => {
  await router?.close();
  router = undefined;
  worker.stop();
  cluster.stop();
});

describe("Router", () => {
  it("a choice that a stop string ended does not hold up the reply once the others have ended", async () => {
    await startRouter();
    const reply = post("/v1/completions", { model: "tiny", prompt: "x", n: 2, stop: "b", max_tokens: 50 });
    const { requestId } = await cluster.jobs.at(0);
    worker.send(requestId, 0, started(0, 0));
    worker.sendText(requestId, 0, "ab");
    const last = { choice: 1, index: 0, tokenId: EOS, finish: FinishReason.STOP };
    worker.send(requestId, 0, { case: "token", value: last });
    expect(await (await reply).json()).toMatchObject({
      choices: [
        { text: "a", finish_reason: "stop" },
        { text: "", finish_reason: "stop" },
      ],
    });
    expect((await worker.cancels.at(0)).requestId).toBe(requestId);
  });

  it("a reader that stalls loses its connection, and its place is free again", async () => {
    await startRouter(1);
    const { hostname, port } = new URL(url);
    const body = JSON.stringify({
      model: "tiny",
      messages: [{ role: "user", content: "hi" }],
      logprobs: true,
      stream: true,
    });
    const reader = connect(Number(port), hostname).pause();
    reader.on("error", () => undefined);
    reader.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    const { requestId } = await cluster.jobs.at(0);
    worker.send(requestId, 0, started(0));
    // Large alternatives fill the reader's socket and then its buffer.
    const top = { tokenIds: Array(20).fill(97), logprobs: Array(20).fill(-1) };
    for (let index = 0; worker.cancels.all.length === 0; index++) {
      worker.send(requestId, 0, { case: "token", value: { index, tokenId: 97, top } });
      if (index % 500 === 0) await setImmediate();
    }
    const metrics = async () => (await fetch(`${url}/metrics`)).text();
    await expect.poll(metrics).toMatch(/^drover_router_requests_in_flight\{.*\} 0$/m);
    reader.destroy();
  });

  it("what is not HTTP, or no valid URL, still gets OpenAI's error shape", async () => {
    await startRouter();
    const { hostname, port } = new URL(url);
    for (const line of ["GET /v1/%zz HTTP/1.1\r\nhost: x\r\nconnection: close", "bogus"]) {
      const socket = connect(Number(port), hostname);
      socket.write(`${line}\r\n\r\n`);
      const answer = await text(socket);
      expect(answer.slice(0, 12)).toBe("HTTP/1.1 400");
      expect(JSON.parse(answer.slice(answer.indexOf("{")))).toMatchObject({ error: { code: "invalid_argument" } });
    }
  });
});

import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import { FinishReason } from "@drover/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RouterScene } from "./testing/router-scene.ts";
import { EOS, started } from "./testing/worker-events.ts";

let scene = new RouterScene();

beforeEach(() => scene.startCluster());

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

describe("a router's clients", () => {
  it("a choice that a stop string ended does not hold up the reply once the others have ended", async () => {
    await scene.startRouter();
    const reply = scene.post("/v1/completions", { model: "tiny", prompt: "x", n: 2, stop: "b", max_tokens: 50 });
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0, 0));
    scene.worker.sendText(requestId, 0, "ab");
    const last = { choice: 1, index: 0, tokenId: EOS, finish: FinishReason.STOP };
    scene.worker.send(requestId, 0, { case: "token", value: last });
    expect(await (await reply).json()).toMatchObject({
      choices: [
        { text: "a", finish_reason: "stop" },
        { text: "", finish_reason: "stop" },
      ],
    });
    expect((await scene.worker.cancels.at(0)).requestId).toBe(requestId);
  });

  it("a reader that stalls loses its connection, and its place is free again", async () => {
    await scene.startRouter({ requestsMax: 1 });
    const reader = scene.postUnread({
      model: "tiny",
      messages: [{ role: "user", content: "hi" }],
      logprobs: true,
      stream: true,
    });
    const { requestId } = await scene.cluster.jobs.at(0);
    scene.worker.send(requestId, 0, started(0));
    // Large alternatives fill the reader's socket and then its buffer.
    const top = { tokenIds: Array(20).fill(97), logprobs: Array(20).fill(-1) };
    for (let index = 0; scene.worker.cancels.all.length === 0; index++) {
      scene.worker.send(requestId, 0, { case: "token", value: { index, tokenId: 97, top } });
      if (index % 500 === 0) await setImmediate();
    }
    await expect.poll(() => scene.metrics()).toMatch(/^drover_router_requests_in_flight\{.*\} 0$/m);
    reader.destroy();
  });

  it("what is not HTTP, or no valid URL, still gets OpenAI's error shape", async () => {
    await scene.startRouter();
    const { hostname, port } = new URL(scene.url);
    for (const line of ["GET /v1/%zz HTTP/1.1\r\nhost: x\r\nconnection: close", "bogus"]) {
      const socket = connect(Number(port), hostname);
      socket.write(`${line}\r\n\r\n`);
      const answer = await text(socket);
      expect(answer.slice(0, 12)).toBe("HTTP/1.1 400");
      expect(JSON.parse(answer.slice(answer.indexOf("{")))).toMatchObject({ error: { code: "invalid_argument" } });
    }
  });

  it("counts once, by its code, a request that is refused for what it says", async () => {
    await scene.startRouter();
    const failures = async (code: string) =>
      Number(new RegExp(`_failures_total\\{[^}]*code="${code}"[^}]*\\} (\\d+)`).exec(await scene.metrics())?.[1]);
    expect(await failures("invalid_argument")).toBe(0);
    const body = { model: "tiny", prompt: "x", temperature: "warm" };
    expect((await scene.post("/v1/completions", body)).status).toBe(400);
    expect((await scene.post("/v1/completions", { ...body, model: "other" })).status).toBe(404);
    expect([await failures("invalid_argument"), await failures("model_not_found")]).toEqual([1, 1]);
  });
});

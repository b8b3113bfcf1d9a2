import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import { setImmediate } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RouterScene } from "./testing/router-scene.ts";

const CALLS = 100;

let scene = new RouterScene();

beforeEach(() => scene.startCluster());

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

/** No place is held, and every job that was added has been cancelled. */
async function nothingIsLeft(): Promise<void> {
  await expect.poll(() => scene.metrics()).toMatch(/^drover_router_requests_in_flight\{.*\} 0$/m);
  const cancelled = () => new Set(scene.cluster.queueCancels.all);
  const kept = () => scene.cluster.jobs.all.filter(({ requestId }) => !cancelled().has(requestId));
  await expect.poll(kept).toEqual([]);
}

describe("a client that leaves at once", () => {
  it("leaves nothing behind by gRPC, however soon its call is cancelled", async () => {
    await scene.startRouter({ requestsMax: 2 * CALLS });
    const request = create(publicApi.ChatRequestSchema, { model: "tiny", messages: [{ role: "user", content: "hi" }] });
    using client = new RpcClient(scene.grpc);
    const ask = () => client.serverStream(publicApi.Inference.method.chat, request);
    const leave = (call: ReturnType<typeof ask>) => {
      const over = new Promise((resolve) => call.on("error", resolve));
      call.cancel();
      return over;
    };
    const first = ask();
    await scene.cluster.jobs.at(0);
    await Promise.all(Array.from({ length: CALLS }, () => leave(ask())));
    await leave(first);
    await nothingIsLeft();
  });

  it("leaves nothing behind by gRPC whenever its stream is reset, also in the frame after its message", async () => {
    await scene.startRouter({ requestsMax: 2 * CALLS });
    const message = toBinary(
      publicApi.ChatRequestSchema,
      create(publicApi.ChatRequestSchema, { model: "tiny", messages: [{ role: "user", content: "hi" }] }),
    );
    const head = Buffer.from([0, 0, 0, 0, message.length]);
    const session = connectHttp2(`http://${scene.grpc}`);
    const ask = async (turns: number) => {
      const stream = session.request({
        ":method": "POST",
        ":path": "/drover.v1.Inference/Chat",
        "content-type": "application/grpc+proto",
        te: "trailers",
      });
      stream.on("error", () => undefined);
      stream.end(Buffer.concat([head, message]));
      for (let i = 0; i < turns; i++) await setImmediate();
      stream.close(constants.NGHTTP2_CANCEL);
    };
    await Promise.all(Array.from({ length: CALLS }, (_, i) => ask(i % 5)));
    await expect.poll(() => scene.cluster.jobs.all.length).toBeGreaterThan(0);
    await nothingIsLeft();
    session.destroy();
  });

  it("leaves nothing behind by HTTP, however soon its connection is gone", async () => {
    await scene.startRouter({ requestsMax: 2 * CALLS });
    const { hostname, port } = new URL(scene.url);
    const body = JSON.stringify({ model: "tiny", prompt: "x" });
    const sockets = Array.from({ length: CALLS }, async () => {
      const socket = connect(Number(port), hostname);
      await once(socket, "connect");
      socket.write(`POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      socket.resetAndDestroy();
    });
    await Promise.all(sockets);
    await nothingIsLeft();
  });
});

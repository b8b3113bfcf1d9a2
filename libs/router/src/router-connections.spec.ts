import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { neverAborted } from "@drover/core";
import { inferApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { afterEach, beforeEach, expect, it } from "vitest";
import { HEADERS_BYTES_MAX } from "./limits.ts";
import { RouterScene } from "./testing/router-scene.ts";

let scene: RouterScene;
const sockets: Socket[] = [];
beforeEach(async () => {
  scene = new RouterScene();
  await scene.startCluster();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await scene.stop();
});

/** A plain connection to the router, and what comes back until it is closed. */
async function open(): Promise<Readonly<{ socket: Socket; received: Promise<string> }>> {
  const socket = connect(Number(new URL(scene.url).port), "127.0.0.1");
  sockets.push(socket);
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  socket.on("error", () => undefined);
  const received = new Promise<string>((resolve) => socket.once("close", () => resolve(text)));
  await once(socket, "connect");
  return { socket, received };
}

const HEALTH = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
const answered = async (socket: Socket) => {
  socket.write(HEALTH);
  return String((await once(socket, "data"))[0]);
};

it("connections beyond the limit are closed without a word, those that are there go on, and a place that is free again is taken", async () => {
  await scene.startRouter({ connectionsMax: 2, ready: false });
  const [one, two] = [await open(), await open()];
  expect(await answered(one.socket)).toMatch(/^HTTP\/1.1 200/);
  expect(await answered(two.socket)).toMatch(/^HTTP\/1.1 200/);
  for (let time = 0; time < 5; time++) expect(await (await open()).received).toBe("");
  expect(await answered(one.socket)).toMatch(/^HTTP\/1.1 200/);
  two.socket.destroy();
  await expect
    .poll(async () => {
      const { socket, received } = await open();
      return Promise.race([answered(socket), received]);
    })
    .toMatch(/^HTTP\/1.1 200/);
});

it("headers that are too many bytes get 431, in one piece and drop by drop", async () => {
  await scene.startRouter({ ready: false });
  const flood = `x-flood: ${"x".repeat(1000)}\r\n`.repeat(HEADERS_BYTES_MAX / 1000 + 2);
  for (const parts of [[flood], flood.match(/[\s\S]{1,500}/g) ?? []]) {
    const { socket, received } = await open();
    socket.write("GET /health HTTP/1.1\r\nhost: x\r\n");
    for (const part of parts) socket.write(part);
    socket.write("\r\n");
    expect(await received).toMatch(/^HTTP\/1.1 431 [\s\S]*"invalid_argument"/);
  }
});

it("who says no whole headers in time gets 408 and is closed, and so is who says nothing", async () => {
  await scene.startRouter({ ready: false });
  const [silent, slow] = [await open(), await open()];
  slow.socket.write("GET /health HTTP/1.1\r\nhost: x\r\n");
  const [first, second] = await Promise.all([silent.received, slow.received]);
  for (const text of [first, second]) expect(text).toMatch(/^HTTP\/1.1 408 [\s\S]*"request_timeout"/);
});

it("gRPC connections of one address take no more than half of the places, those that are there go on, and one that leaves makes room", async () => {
  await scene.startRouter({ connectionsMax: 6 });
  const port = Number(scene.grpc.split(":").at(-1));
  const plain = async () => {
    const socket = connect(port, "127.0.0.1").on("error", () => undefined);
    sockets.push(socket);
    await once(socket, "connect");
    return socket;
  };
  const live = async (client: RpcClient) =>
    (
      await client.unary(
        inferApi.GRPCInferenceService.method.serverLive,
        create(inferApi.ServerLiveRequestSchema),
        neverAborted,
      )
    ).live;
  using client = new RpcClient(scene.grpc);
  expect(await live(client)).toBe(true);
  const held = [await plain(), await plain()];
  for (let time = 0; time < 20; time++) {
    const socket = await plain();
    if (!socket.closed) await once(socket.resume(), "close");
  }
  expect(await live(client)).toBe(true);
  held[0]?.destroy();
  using other = new RpcClient(scene.grpc);
  await expect.poll(() => live(other).catch(() => false)).toBe(true);
});

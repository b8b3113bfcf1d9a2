import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { messagePath } from "./grpc/message-readers.ts";
import { RouterScene } from "./testing/router-scene.ts";

let scene = new RouterScene();
let session: ClientHttp2Session | undefined;

beforeEach(() => scene.startCluster());
afterEach(async () => {
  session?.destroy();
  session = undefined;
  await scene.stop();
  scene = new RouterScene();
});

const KIB = 1024;

async function bodiesKept(): Promise<number> {
  return Number(/^drover_router_memory_bytes\{[^}]*kind="bodies"[^}]*\} (\d+)/m.exec(await scene.metrics())?.[1]);
}

type Ended = Readonly<{ status: string; sentence: string; code: string; requestId: string }>;

/** A call whose message its test writes, and what it ended with. */
function called(
  method = publicApi.Inference.method.tokenize,
): Readonly<{ stream: ClientHttp2Stream; end: Promise<Ended> }> {
  session ??= connect(`http://${scene.grpc}`).on("error", () => undefined);
  const stream = session.request({
    ...{ ":method": "POST", ":path": messagePath(method), "content-type": "application/grpc", te: "trailers" },
    ...{ "grpc-encoding": "gzip", "x-request-id": "mine" },
  });
  stream.on("error", () => undefined).resume();
  const headers = once(stream, "response") as Promise<[IncomingHttpHeaders]>;
  const trailers = once(stream, "trailers") as Promise<[IncomingHttpHeaders]>;
  const end = Promise.any([
    headers.then(([told]) => (told["grpc-status"] === undefined ? Promise.reject(new Error("it has trailers")) : told)),
    trailers.then(([told]) => told),
  ]).then((told) => ({
    status: String(told["grpc-status"]),
    sentence: decodeURI(String(told["grpc-message"] ?? "")),
    code: String(told["drover-code"]),
    requestId: String(told["x-request-id"]),
  }));
  return { stream, end };
}

/** A request to tokenize a text of so many letters, as it is on the wire. */
function framed(letters: number, isPacked = false): Buffer {
  const input = { case: "text", value: "x".repeat(letters) } as const;
  const message = toBinary(publicApi.TokenizeRequestSchema, create(publicApi.TokenizeRequestSchema, { input }));
  const bytes = isPacked ? gzipSync(message) : Buffer.from(message);
  const head = Buffer.alloc(5);
  head.writeUInt8(isPacked ? 1 : 0);
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

it("a message counts as it comes, others are refused beside it, and it is answered once it is whole", async () => {
  await scene.startRouter({ memory: { bodies: 2048 * KIB } });
  const bytes = framed(1500 * KIB);
  const first = called();
  first.stream.write(bytes.subarray(0, 1000 * KIB));
  await expect.poll(bodiesKept).toBeGreaterThan(1000 * KIB - 5);
  const second = called();
  second.stream.write(bytes);
  expect(await second.end).toMatchObject({ status: "8", code: "overloaded", requestId: "mine" });
  // Who goes on all the same is cut off, and what has come of it counts no more.
  await once(second.stream, "close");
  await expect.poll(bodiesKept).toBeLessThan(1100 * KIB);
  first.stream.end(bytes.subarray(1000 * KIB));
  expect((await first.end).status).toBe("0");
  await expect.poll(bodiesKept).toBe(0);
});

it("a message whose client goes counts no more", async () => {
  await scene.startRouter();
  const { stream, end } = called();
  end.catch(() => undefined);
  stream.write(framed(100 * KIB).subarray(0, 50 * KIB));
  await expect.poll(bodiesKept).toBeGreaterThan(50 * KIB - 5);
  stream.destroy();
  await expect.poll(bodiesKept).toBe(0);
});

it.each([
  ["stands still", { stallMs: 50, totalMs: 60_000 }],
  ["takes too long in all", { stallMs: 60_000, totalMs: 200 }],
])("a message that %s is given up as a body is", async (_, times) => {
  await scene.startRouter({ bodies: { times } });
  const { stream, end } = called();
  const bytes = framed(100 * KIB);
  stream.write(bytes.subarray(0, 1000));
  let at = 1000;
  const drops = setInterval(() => times.stallMs > 1000 && stream.write(bytes.subarray(at, ++at)), 10);
  expect(await end).toMatchObject({ status: "4", code: "request_timeout", requestId: "mine" });
  clearInterval(drops);
  stream.destroy();
  await expect.poll(bodiesKept).toBe(0);
});

it.each([
  ["no message at all", 0],
  ["a whole message, and not that this is all", 1],
])("a call with %s is given up as a body is", async (_, messageCount) => {
  await scene.startRouter({ bodies: { times: { stallMs: 50, totalMs: 60_000 } } });
  const { stream, end } = called();
  for (let sent = 0; sent < messageCount; sent++) stream.write(framed(100 * KIB));
  expect(await end).toMatchObject({ status: "4", code: "request_timeout", requestId: "mine" });
  await once(stream, "close");
  await expect.poll(bodiesKept).toBe(0);
});

it("a message that alone is more than the budget is refused for good at its head, by the flag to raise", async () => {
  await scene.startRouter({ memory: { bodies: 1024 * KIB } });
  const { stream, end } = called();
  stream.write(framed(1000 * KIB).subarray(0, 5));
  const { status, code, sentence } = await end;
  expect([status, code]).toEqual(["8", "payload_too_large"]);
  expect(sentence).toContain("--body-memory");
});

it("a packed message is answered", async () => {
  await scene.startRouter();
  const { stream, end } = called();
  stream.end(framed(100 * KIB, true));
  expect((await end).status).toBe("0");
  await expect.poll(bodiesKept).toBe(0);
});

it("what comes of a call behind its answer counts nothing, and who stays all the same is cut off", async () => {
  await scene.startRouter();
  const { stream, end } = called();
  const closed = once(stream, "close");
  stream.write(Buffer.concat([framed(1), framed(1)]));
  // A second request, of who may make one.
  expect((await end).status).toBe("12");
  stream.write(framed(1000 * KIB, true));
  // On the same connection: what was written before has come by then.
  const next = called();
  next.stream.end(framed(1));
  expect((await next.end).status).toBe("0");
  await expect.poll(bodiesKept).toBe(0);
  await closed;
  expect(await bodiesKept()).toBe(0);
});

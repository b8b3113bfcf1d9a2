import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { HEADERS_BYTES_MAX } from "./limits.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { started } from "./testing/worker-events.ts";

let scene: RouterScene;
beforeEach(async () => {
  scene = new RouterScene();
  await scene.startCluster();
  await scene.startRouter();
});
afterEach(() => scene.stop());

/** Opens a plain connection that sends these lines. */
async function sent(lines: readonly string[]): Promise<Socket> {
  const socket = connect(Number(new URL(scene.url).port), "127.0.0.1").setEncoding("utf8");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(lines.join("\r\n"));
  return socket;
}

/** All that comes back until the router closes the connection. */
async function answerTo(...lines: readonly string[]): Promise<string> {
  const socket = await sent(lines);
  let text = "";
  socket.on("data", (part) => {
    text += part;
  });
  await once(socket, "close");
  return text;
}

const POST = "POST /v1/completions HTTP/1.1";
const CHUNKED = [POST, "host: x", "transfer-encoding: chunked", ""];

it.each([
  ["a line that is no request", 400, ["HELLO", "", ""]],
  ["a method that there is not", 400, ["NOTHING / HTTP/1.1", "host: x", "", ""]],
  ["another protocol", 400, ["PRI * HTTP/2.0", "", "SM", "", ""]],
  ["a version that there is not", 400, ["GET /health HTTP/9.7", "host: x", "", ""]],
  ["no host", 400, ["GET /health HTTP/1.1", "connection: close", "", ""]],
  ["a header without a name", 400, ["GET /health HTTP/1.1", "host: x", ": y", "", ""]],
  ["two lengths", 400, [POST, "host: x", "content-length: 3", "content-length: 4", "", "abc"]],
  ["a length that is no number", 400, [POST, "host: x", "content-length: many", "", "abc"]],
  ["a length and chunks", 400, [POST, "host: x", "content-length: 3", "transfer-encoding: chunked", "", "abc"]],
  ["a chunk whose length is no number", 400, [...CHUNKED, "zz", "abc", "", ""]],
  ["a chunk that is longer than it says", 400, [...CHUNKED, "2", "abcdef", "", ""]],
  ["a chunk with a long extension", 413, [...CHUNKED, `1;${"x".repeat(20_000)}`, "a", ""]],
  ["headers of too many bytes", 431, ["GET /health HTTP/1.1", `x: ${"x".repeat(HEADERS_BYTES_MAX)}`, "", ""]],
  ["a line of too many bytes", 431, [`GET /${"x".repeat(HEADERS_BYTES_MAX)} HTTP/1.1`, "host: x", "", ""]],
  [
    "something that is expected and nobody does",
    417,
    [POST, "host: x", "expect: wonders", "content-length: 2", "", "{}"],
  ],
  ["a tunnel", 405, ["CONNECT example.com:443 HTTP/1.1", "host: example.com:443", "", ""]],
])("%s is answered with %i as every other fault is, and its connection is closed", async (_, status, lines) => {
  const text = await answerTo(...lines);
  const [head = "", body = ""] = text.split("\r\n\r\n");
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(head).toMatch(/^x-request-id: [0-9a-f-]{36}$/im);
  expect(head).toMatch(/^connection: close$/im);
  const { error } = JSON.parse(body) as Json;
  expect(error).toEqual({
    message: expect.any(String),
    type: "invalid_request_error",
    param: null,
    code: expect.any(String),
  });
});

it("an answer that has begun is not broken into by what its client sends behind its request", async () => {
  const body = JSON.stringify({ model: "tiny", prompt: "x", max_tokens: 4, stream: true });
  const socket = await sent([POST, "host: x", `content-length: ${body.length}`, "", body]);
  let text = "";
  socket.on("data", (part) => {
    text += part;
  });
  const { requestId } = await scene.cluster.jobs.at(0);
  scene.worker.send(requestId, 0, started(0));
  scene.worker.sendText(requestId, 0, "yes");
  await expect.poll(() => text).toContain("data: ");
  socket.write("HELLO\r\n\r\n");
  await once(socket, "close");
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
});

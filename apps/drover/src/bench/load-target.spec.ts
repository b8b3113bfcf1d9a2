import { createServer, type Server, type ServerResponse } from "node:http";
import { neverAborted } from "@drover/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LoadTarget } from "./load-target.ts";

let server: Server;
let target: LoadTarget;
let reply: (response: ServerResponse) => void;

beforeEach(async () => {
  server = createServer((request, response) => {
    request.resume();
    request.on("end", () => reply(response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/v1/`;
  target = new LoadTarget({ name: "this", url, apiKey: undefined, timeoutMs: 60_000 });
});

afterEach(() => {
  target[Symbol.dispose]();
  server.closeAllConnections();
  server.close();
});

const events =
  (...lines: string[]) =>
  (response: ServerResponse) =>
    void response.writeHead(200).end(lines.map((line) => `data: ${line}\n\n`).join(""));
const measure = () => target.measure("/v1/completions", {}, neverAborted);
const piece = (text: string) => JSON.stringify({ choices: [{ text }] });
const usage = JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 5 } });

test("pieces with text are timed, and tokens are those of the usage", async () => {
  reply = events(piece("a"), piece(""), piece("b c"), usage, "[DONE]");
  const { pieceMs, beginMs, endMs, ...rest } = await measure();
  expect(pieceMs).toHaveLength(2);
  expect(pieceMs.every((ms) => ms >= beginMs && ms <= endMs)).toBe(true);
  expect(rest).toEqual({ promptTokens: 7, outputTokens: 5 });
});

test("a chat's role is no piece, its text and tool calls are", async () => {
  const delta = (value: unknown) => JSON.stringify({ choices: [{ delta: value }] });
  reply = events(delta({ role: "assistant" }), delta({ content: "a" }), delta({ tool_calls: [{}] }), "[DONE]");
  expect(await measure()).toMatchObject({ outputTokens: 2 });
});

test.each([
  [
    "a refusal",
    (response: ServerResponse) => void response.writeHead(429).end('{"error":{"message":"slower"}}'),
    /429: slower/,
  ],
  ["a page of something else", (response: ServerResponse) => void response.writeHead(502).end("<html>"), /502: <html>/],
  ["an error in the stream", events(piece("a"), '{"error":{"message":"the worker is gone"}}'), /the worker is gone/],
  ["a stream without its end", events(piece("a")), /cut off/],
  ["a connection that breaks", (response: ServerResponse) => void response.destroy(), /hang up|ECONNRESET/],
])("%s is a sample with its reason", async (_, answer, reason) => {
  reply = answer;
  expect((await measure()).error).toMatch(reason);
});

test("nobody there is a sample too, and one that is left has the signal's reason", async () => {
  const nobody = new LoadTarget({ name: "x", url: "http://127.0.0.1:1", apiKey: undefined, timeoutMs: 1000 });
  expect((await nobody.measure("/", {}, neverAborted)).error).toMatch(/ECONNREFUSED/);
  reply = () => undefined;
  const left = new AbortController();
  const pending = target.measure("/", {}, left.signal);
  left.abort(new Error("it was told to end"));
  expect((await pending).error).toBe("it was told to end");
});

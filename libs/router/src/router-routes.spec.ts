import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Json, RouterScene } from "./testing/router-scene.ts";

let scene = new RouterScene();

beforeEach(async () => {
  await scene.startCluster();
  await scene.startRouter();
});

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

describe("what is asked for by the wrong way", () => {
  it.each([
    ["PUT", "/v1/chat/completions", "POST"],
    ["PUT", "/v1/completions/", "POST"],
    ["DELETE", "/v1/models/a/b", "GET, HEAD"],
    ["POST", "/v1/models?x=1", "GET, HEAD"],
    ["PATCH", "/tokenize", "POST"],
    ["POST", "/health", "GET, HEAD"],
    ["POST", "/", "GET, HEAD"],
  ])("%s %s is told that it takes %s", async (method, path, allow) => {
    const reply = await fetch(scene.url + path, { method, ...(method !== "GET" && { body: "{" }) });
    expect([reply.status, reply.headers.get("allow")]).toEqual([405, allow]);
    expect(((await reply.json()) as Json).error.code).toBe("method_not_allowed");
  });

  it("a path that nobody serves is not found by any method", async () => {
    for (const method of ["GET", "POST", "DELETE"]) {
      const reply = await fetch(`${scene.url}/v1/embeddings`, { method, ...(method !== "GET" && { body: "{}" }) });
      expect([method, reply.status]).toEqual([method, 404]);
      const { message } = ((await reply.json()) as Json).error;
      expect(message).toBe(
        `there is no ${method} /v1/embeddings: Llama 4 writes text, and no model for embeddings is served`,
      );
    }
  });

  it.each([
    ["/v1/images/generations", "it reads images in messages, and makes none"],
    ["/v1/threads/t/runs", "/v1/responses"],
    ["/v1/conversations/", "previous_response_id"],
    ["/v1/responses/compact", "send a summary as input"],
    ["/v1/messages/batches", "/v1/batches"],
    ["/v1/organization/users?limit=1", "a file of keys"],
    ["/api/chat", "below /v1, and not Ollama's"],
    ["/rerank", "no model that ranks"],
    ["/v1/chat/completions/chatcmpl-1", "chats are not kept"],
    ["/v1/v1/messages", "Anthropic's one without it"],
    ["/v1/chat/completions/chat/completions", "ends in /v1"],
    ["/v1/completions/models", "ends in /v1"],
    ["/responses", "below /v1"],
    ["/messages/count_tokens", "below /v1"],
    ["/openai/deployments/tiny/chat/completions?api-version=2024-10-21", "not at Azure's paths"],
    ["/v1/engines/tiny/completions", "a request names its own"],
    ["/v1beta/models/tiny:generateContent", "not Gemini's"],
  ])("%s, which other servers have, is answered with why it is not here", async (path, why) => {
    const reply = await scene.post(path, {});
    expect([reply.status, ((await reply.json()) as Json).error.message.includes(why)]).toEqual([404, true]);
  });

  it.each([
    ["GET", "/v1/messages", 405, "invalid_request_error"],
    ["POST", "/v1/messages/batches", 404, "not_found_error"],
  ])("%s %s is refused in the shape of Anthropic's errors", async (method, path, status, type) => {
    const reply = await fetch(scene.url + path, { method, ...(method !== "GET" && { body: "{}" }) });
    expect([reply.status, await reply.json()]).toEqual([
      status,
      { type: "error", error: { type, message: expect.any(String) } },
    ]);
  });

  it("chats are listed nowhere, and whoever asks for them learns what is kept", async () => {
    const { error } = (await (await fetch(`${scene.url}/v1/chat/completions?limit=1`)).json()) as Json;
    expect([error.code, error.message.includes("/v1/responses")]).toEqual(["not_found", true]);
  });

  it.each([
    ["/debug/placement?request=a&request=b", "request"],
    ["/debug/placement?request=a&model=tiny&model=tiny", "model"],
    ["/debug/cluster?model=tiny&model=other", "model"],
    ["/v1/files?after=a&after=b", "after"],
    ["/v1/batches?limit=1&limit=2", "limit"],
    ["/tokenizer_info?model=tiny&model=tiny", "model"],
    ["/debug/placement", "request"],
    ["/debug/placement?request=", "request"],
  ])("%s names the parameter %s", async (path, param) => {
    const reply = await fetch(scene.url + path);
    expect([reply.status, ((await reply.json()) as Json).error.param]).toEqual([400, param]);
  });

  it("who only looks by is told in words where to go", async () => {
    const reply = await fetch(scene.url);
    expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "text/plain; charset=utf-8"]);
    expect(await reply.text()).toContain("/openapi.json");
  });
});

describe("the page for people", () => {
  const html = { headers: { accept: "text/html,*/*" } };

  it("is at / for browsers, with its parts below it, and is not sent twice", async () => {
    const reply = await fetch(scene.url, html);
    const text = await reply.text();
    expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(reply.headers.get("content-security-policy")).toMatch(/default-src 'none'; script-src 'self' 'sha256-/);
    for (const [, path] of text.matchAll(/"(\/page\/[^"]+)"/g))
      expect((await fetch(scene.url + path)).status, path).toBe(200);
    const etag = reply.headers.get("etag") ?? "";
    expect((await fetch(scene.url, { headers: { ...html.headers, "if-none-match": etag } })).status).toBe(304);
    expect((await fetch(`${scene.url}/docs`)).headers.get("content-type")).toContain("text/html");
    expect((await fetch(`${scene.url}/page/nothing.js`)).status).toBe(404);
    expect((await fetch(`${scene.url}/page/..%2f..%2fpackage.json`)).status).toBe(404);
  });
});

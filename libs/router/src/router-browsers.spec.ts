import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { requestId } from "@drover/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { startTestRouter } from "./testing/test-router.ts";
import { done, end, started } from "./testing/worker-events.ts";

let scene = new RouterScene();

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

const ORIGIN = "https://a.example";
const preflight = (path: string, headers: Record<string, string> = {}) =>
  fetch(scene.url + path, {
    method: "OPTIONS",
    headers: {
      origin: ORIGIN,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
      ...headers,
    },
  });

describe("a page in a browser", () => {
  it("may not use a router that was not told of it, and is told nothing of a body", async () => {
    await scene.startCluster();
    await scene.startRouter({ keys: ["k"] });
    const refused = await preflight("/v1/chat/completions");
    expect([404, 405]).toContain(refused.status);
    expect(refused.headers.has("access-control-allow-origin")).toBe(false);
    expect(((await refused.json()) as Json).error.message).not.toContain("body");
    expect((await preflight("/nothing")).status).toBe(404);
    const answer = await fetch(`${scene.url}/v1/models`, { headers: { origin: ORIGIN, authorization: "Bearer k" } });
    expect(answer.headers.has("access-control-allow-origin")).toBe(false);
  });

  it("of a named origin is answered its preflight without a key, and may read answers, errors and streams", async () => {
    await scene.startCluster();
    await scene.startRouter({ keys: ["k"], corsOrigins: ["https://b.example", ORIGIN] });
    const allowed = await preflight("/v1/chat/completions");
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      "access-control-allow-origin": ORIGIN,
      "access-control-allow-methods": expect.stringContaining("POST"),
      "access-control-allow-headers": "authorization,content-type",
      vary: "origin",
    });
    expect(await allowed.text()).toBe("");
    expect((await preflight("/v1/models", { "access-control-request-method": "GET" })).status).toBe(204);
    expect((await preflight("/nothing")).status).toBe(404);

    const read = (path: string, headers: Record<string, string>, init: RequestInit = {}) =>
      fetch(scene.url + path, { ...init, headers: { origin: ORIGIN, ...headers } });
    const key = { authorization: "Bearer k" };
    const stream = read("/v1/completions", key, {
      method: "POST",
      body: JSON.stringify({ model: "tiny", prompt: "a", stream: true }),
    });
    const job = await scene.cluster.jobs.at(0);
    scene.worker.send(job.requestId, 0, started(0), end(0), done);
    const answers = await Promise.all([
      read("/v1/models", key),
      read("/v1/models", {}),
      read("/health", {}),
      read("/nothing", key),
      read("/v1/completions", key, { method: "POST", body: "{" }),
      stream,
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 200, 404, 400, 200]);
    for (const { headers } of answers) {
      expect(headers.get("access-control-allow-origin")).toBe(ORIGIN);
      const exposed = headers.get("access-control-expose-headers")?.split(", ");
      expect(exposed).toEqual(expect.arrayContaining(["x-request-id", "retry-after", "x-ratelimit-reset-tokens"]));
    }
    const other = await fetch(`${scene.url}/health`, { headers: { origin: "https://c.example" } });
    expect(other.headers.has("access-control-allow-origin")).toBe(false);
    expect(other.headers.get("vary")).toBe("origin");
    expect((await preflight("/v1/models", { origin: "https://c.example" })).status).toBe(405);
  });

  it("of any origin may, where all may", async () => {
    await scene.startCluster();
    await scene.startRouter({ corsOrigins: ["*"] });
    const allowed = await preflight("/v1/completions", { "access-control-request-headers": "x\u0001y" }).catch(() =>
      preflight("/v1/completions"),
    );
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get("access-control-allow-origin")).toBe("*");
  });

  it("is no origin unless it has a scheme and a host alone", async () => {
    await scene.startCluster();
    for (const origin of ["a.example", "https://a.example/", "https://a.example/path", "https://*,x", ""])
      await expect(startTestRouter(scene.cluster, { corsOrigins: [origin] })).rejects.toMatchObject({
        code: "invalid_argument",
        field: "cors-origins",
      });
  });
});

describe("a request's id", () => {
  it("is on every answer: the client's own where it is short and printable, else one made here", async () => {
    await scene.startCluster();
    await scene.startRouter({ keys: ["k"] });
    const authorization = "Bearer k";
    const ask = (path: string, init: RequestInit = {}, id?: string) =>
      fetch(scene.url + path, { ...init, headers: { authorization, ...(id !== undefined && { "x-request-id": id }) } });
    const streamed = ask(
      "/v1/chat/completions",
      {
        method: "POST",
        body: JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "a" }], stream: true }),
      },
      "mine 1",
    );
    const job = await scene.cluster.jobs.at(0);
    scene.worker.send(job.requestId, 0, started(0), end(0), done);
    expect((await streamed).headers.get("x-request-id")).toBe("mine 1");
    for (const [path, init, status] of [
      ["/v1/models", {}, 200],
      ["/health", {}, 200],
      ["/metrics", {}, 200],
      ["/nothing", {}, 404],
      ["/v1/models", { method: "OPTIONS" }, 405],
      ["/v1/completions", { method: "POST", body: "{" }, 400],
      ["/v1/completions", { method: "POST", body: '{"model": "other", "prompt": "a"}' }, 404],
      ["/v1/%zz", {}, 400],
    ] as const) {
      const own = await ask(path, init, "mine-2");
      expect([own.status, own.headers.get("x-request-id")], path).toEqual([status, "mine-2"]);
      const ids = await Promise.all([ask(path, init), ask(path, init, "x".repeat(129)), ask(path, init, "é")]);
      const made = ids.map(({ headers }) => headers.get("x-request-id"));
      for (const id of made) expect(id).toMatch(/^[0-9a-f-]{36}$/);
      expect(new Set(made).size).toBe(3);
    }
    const unauthenticated = await fetch(`${scene.url}/v1/models`, { headers: { "x-request-id": "mine-3" } });
    expect([unauthenticated.status, unauthenticated.headers.get("x-request-id")]).toEqual([401, "mine-3"]);
    const messages = await ask("/v1/messages", { method: "POST", body: "{" }, "mine-4");
    expect(messages.headers.get("request-id")).toBe("mine-4");
    const { hostname, port } = new URL(scene.url);
    const socket = connect(Number(port), hostname);
    socket.write("bogus\r\n\r\n");
    expect(await text(socket)).toMatch(/^x-request-id: [0-9a-f-]{36}\r$/m);
  });

  it("finds a request's placement, of each of its prompts", async () => {
    await scene.startCluster();
    await scene.startRouter();
    const reply = fetch(`${scene.url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ model: "tiny", prompt: ["a", "b"] }),
      headers: { "x-request-id": "ticket-5" },
    });
    await scene.cluster.jobs.at(1);
    const ids = scene.cluster.jobs.all.map((job) => job.requestId);
    for (const id of ids) scene.worker.send(id, 0, started(0), end(0), done);
    const { id } = (await (await reply).json()) as Json;
    expect(ids.map((each) => `cmpl-${each}`)).toContain(id);
    const decision = {
      attempt: 0,
      kind: "wait",
      workerId: undefined,
      reason: "",
      candidates: [],
      candidateCount: 0,
    } as const;
    const when = { firstAtMs: 1, lastAtMs: 1, times: 1, outcome: undefined };
    for (const each of ids)
      scene.cluster.decisions.set(each, [
        { requestId: requestId(each), lane: "short", promptTokenCount: 1, ...decision, ...when },
      ]);
    const placement = async (request: string): Promise<Json> =>
      (await fetch(`${scene.url}/debug/placement?request=${request}`)).json();
    const named = await placement("ticket-5");
    expect(named.xRequestId).toBe("ticket-5");
    expect(named.decisions).toHaveLength(2);
    expect(await placement(id)).toMatchObject({ xRequestId: "ticket-5", decisions: [{}] });
  });
});

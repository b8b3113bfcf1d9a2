import { DroverError, neverAborted } from "@drover/core";
import { afterEach, describe, expect, it } from "vitest";
import { type AdminServer, type AdminServerOptions, type AdminSubject, startAdminServer } from "./admin-server.ts";
import { createMetrics } from "./metrics.ts";
import { askWhileBlocked } from "./testing/prober.ts";

const open: AdminServer[] = [];

async function start(options: Partial<AdminServerOptions> = {}): Promise<AdminServer> {
  const server = await startAdminServer({
    host: "127.0.0.1",
    port: 0,
    metrics: createMetrics({ process: "worker" }),
    starting: "weights are being loaded",
    ending: neverAborted,
    stallAfterMs: 60_000,
    ...options,
  });
  open.push(server);
  return server;
}

/** A server of a process that has started. */
async function serve(
  subject: Partial<AdminSubject> = {},
  options: Partial<AdminServerOptions> = {},
): Promise<AdminServer> {
  const server = await start(options);
  server.show({ unready: () => null, ...subject });
  return server;
}

const url = (server: AdminServer, path: string) => `http://127.0.0.1:${server.port}${path}`;
const get = (server: AdminServer, path: string, method = "GET") => fetch(url(server, path), { method });

afterEach(async () => {
  for (const server of open.splice(0)) await server[Symbol.asyncDispose]();
});

describe("startAdminServer", () => {
  it("answers 200 for a probe that holds and 503 with the reason for one that does not", async () => {
    const server = await serve({ unready: () => "no expert map yet" });
    for (const path of ["/livez", "/health"]) {
      const live = await get(server, path);
      expect([live.status, await live.json()]).toEqual([200, { status: "ok" }]);
    }
    for (const path of ["/readyz", "/ready"]) {
      const ready = await get(server, path);
      expect([ready.status, await ready.json()]).toEqual([503, { status: "unavailable", reason: "no expert map yet" }]);
    }
  });

  it("is not ready and says why while the process starts, serves its metrics then, and shows all at once what has started", async () => {
    const server = await start();
    const ready = await get(server, "/readyz");
    expect([ready.status, await ready.json()]).toMatchObject([503, { reason: "weights are being loaded" }]);
    const map = await get(server, "/debug/map");
    expect([map.status, await map.json()]).toEqual([503, { error: "weights are being loaded" }]);
    expect((await get(server, "/livez")).status).toBe(200);
    expect((await get(server, "/metrics")).status).toBe(200);
    server.show({ unready: () => null, routes: { "/debug/map": () => ({ epoch: 1 }) } });
    expect((await get(server, "/readyz")).status).toBe(200);
    expect((await get(server, "/debug/map")).status).toBe(200);
  });

  it("follows what is shown of readiness", async () => {
    let reason: string | null = "loading";
    const server = await serve({ unready: () => reason });
    expect((await get(server, "/readyz")).status).toBe(503);
    reason = null;
    await expect.poll(async () => (await get(server, "/readyz")).status).toBe(200);
  });

  it("is not ready from the moment on in which the process is asked to end", async () => {
    const ending = new AbortController();
    const server = await serve({}, { ending: ending.signal });
    expect((await get(server, "/readyz")).status).toBe(200);
    ending.abort();
    expect((await get(server, "/readyz")).status).toBe(503);
    expect(await (await get(server, "/metrics")).text()).toContain('drover_draining{process="worker"} 1\n');
  });

  it("answers a probe with 200 while the main loop is blocked", async () => {
    const server = await serve();
    for (const path of ["/livez", "/readyz"])
      expect(await askWhileBlocked(url(server, path), 200)).toMatchObject({ status: 200 });
  });

  it("answers /livez with 503 once the main loop has not turned for longer than it may, and 200 when it turns again", async () => {
    const server = await serve({}, { stallAfterMs: 500 });
    const stalled = await askWhileBlocked(url(server, "/livez"), 503);
    expect([stalled.status, stalled.body]).toEqual([503, expect.stringContaining("has not turned")]);
    await expect.poll(async () => (await get(server, "/livez")).status).toBe(200);
  });

  it("serves the metrics as Prometheus reads them, and their age", async () => {
    const response = await get(await serve(), "/metrics?x=1");
    expect(response.headers.get("content-type")).toContain("text/plain");
    const text = await response.text();
    expect(text).toContain("# TYPE drover_event_loop_lag_seconds gauge");
    expect(text).toMatch(/\ndrover_metrics_age_seconds\{process="worker"\} [0-9.]+\n/);
  });

  it("serves JSON routes with what was asked, and 64-bit numbers as strings", async () => {
    const routes = { "/debug/map": (query: URLSearchParams) => ({ epoch: 2n ** 60n, layer: query.get("layer") }) };
    const server = await serve({ routes });
    expect(await (await get(server, "/debug/map?layer=3")).json()).toEqual({
      epoch: "1152921504606846976",
      layer: "3",
    });
  });

  it("says nothing of its routes and does nothing for who is refused, and serves probes and metrics to all", async () => {
    const done: string[] = [];
    const server = await serve({
      refusal: (proof, asked) => (proof === `for ${asked}` ? undefined : "a proof is missing"),
      routes: { "/debug/x": () => "read" },
      actions: { "/drain": (query) => done.push(query.get("worker") ?? "") },
    });
    const ask = async (method: string, path: string, proof?: string) =>
      (await fetch(url(server, path), { method, ...(proof !== undefined && { headers: { "drover-member": proof } }) }))
        .status;
    for (const path of ["/debug/x", "/drain?worker=a", "/nothing"])
      for (const method of ["GET", "POST", "HEAD"])
        for (const proof of [undefined, "", "for GET /other", "for POST /drain"])
          expect(await ask(method, path, proof)).toBe(401);
    expect(done).toEqual([]);
    for (const path of ["/livez", "/readyz", "/metrics"]) expect(await ask("GET", path)).toBe(200);
    expect(await ask("GET", "/debug/x", "for GET /debug/x")).toBe(200);
    expect(await ask("POST", "/drain?worker=b", "for POST /drain?worker=b")).toBe(200);
    expect(done).toEqual(["b"]);
  });

  it("serves actions by POST alone, and routes by GET alone", async () => {
    const done: string[] = [];
    const server = await serve({
      routes: { "/debug/x": () => "read" },
      actions: { "/drain": (query) => done.push(query.get("worker") ?? "") },
    });
    expect((await get(server, "/drain?worker=a")).status).toBe(405);
    expect((await get(server, "/drain?worker=b", "POST")).status).toBe(200);
    expect((await get(server, "/debug/x", "POST")).status).toBe(405);
    expect(done).toEqual(["b"]);
  });

  it("answers 404 for what it does not serve and 405 for other methods", async () => {
    const server = await serve();
    expect((await get(server, "/constructor")).status).toBe(404);
    expect((await get(server, "/livez", "DELETE")).status).toBe(405);
  });

  it("answers a fault with its status, any other failure with 500, and goes on serving", async () => {
    const routes = {
      "/debug/fault": () => {
        throw new DroverError("not_found", "no such worker");
      },
      "/debug/bug": () => {
        throw new Error("broken");
      },
    };
    const server = await serve({ routes });
    const fault = await get(server, "/debug/fault");
    expect([fault.status, await fault.json()]).toEqual([404, { error: "no such worker" }]);
    expect((await get(server, "/debug/bug")).status).toBe(500);
    expect((await get(server, "/livez")).status).toBe(200);
  });

  it("fails as unavailable when the port is taken", async () => {
    const { port } = await serve();
    const second = start({ port });
    await expect(second).rejects.toThrow(DroverError);
    await expect(second).rejects.toMatchObject({ code: "unavailable" });
  });
});

import { DroverError } from "@drover/core";
import { afterEach, describe, expect, it } from "vitest";
import { type AdminServer, type AdminServerOptions, startAdminServer } from "./admin-server.ts";
import { createMetrics } from "./metrics.ts";

const open: AdminServer[] = [];

async function serve(options: Partial<AdminServerOptions> = {}): Promise<AdminServer> {
  const metrics = createMetrics({ process: "worker" });
  const server = await startAdminServer({
    host: "127.0.0.1",
    port: 0,
    metrics,
    health: () => true,
    ready: () => true,
    ...options,
  });
  open.push(server);
  return server;
}

const get = (server: AdminServer, path: string, method = "GET") =>
  fetch(`http://127.0.0.1:${server.port}${path}`, { method });

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

describe("startAdminServer", () => {
  it("answers 200 for a probe that holds and 503 with the reason for one that does not", async () => {
    const server = await serve({ ready: () => "no expert map yet" });
    const health = await get(server, "/health");
    expect([health.status, await health.json()]).toEqual([200, { status: "ok" }]);
    const ready = await get(server, "/ready");
    expect([ready.status, await ready.json()]).toEqual([503, { status: "unavailable", reason: "no expert map yet" }]);
  });

  it("serves the metrics as Prometheus reads them", async () => {
    const response = await get(await serve(), "/metrics?x=1");
    expect(response.headers.get("content-type")).toContain("text/plain");
    expect(await response.text()).toContain("# TYPE drover_event_loop_lag_seconds gauge");
  });

  it("serves JSON routes, and 64-bit numbers as strings", async () => {
    const server = await serve({ routes: { "/debug/map": () => ({ epoch: 2n ** 60n }) } });
    expect(await (await get(server, "/debug/map")).json()).toEqual({ epoch: "1152921504606846976" });
  });

  it("answers 404 for what it does not serve and 405 for anything but reading", async () => {
    const server = await serve();
    expect((await get(server, "/constructor")).status).toBe(404);
    expect((await get(server, "/health", "POST")).status).toBe(405);
  });

  it("answers 500 when a route fails and goes on serving", async () => {
    const server = await serve({
      routes: {
        "/debug/x": () => {
          throw new Error("broken");
        },
      },
    });
    expect((await get(server, "/debug/x")).status).toBe(500);
    expect((await get(server, "/health")).status).toBe(200);
  });

  it("fails as unavailable when the port is taken", async () => {
    const { port } = await serve();
    const second = serve({ port });
    await expect(second).rejects.toThrow(DroverError);
    await expect(second).rejects.toMatchObject({ code: "unavailable" });
  });
});

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { neverAborted } from "@drover/core";
import { expect, test } from "vitest";
import { startAdminServer } from "./admin-server.ts";
import { askPulse } from "./ask-pulse.ts";
import { createMetrics } from "./metrics.ts";

test("a process lives whose admin port answers, also while it is not ready", async () => {
  const settings = { host: "127.0.0.1", port: 0, starting: "weights are being loaded", stallAfterMs: 60_000 };
  await using server = await startAdminServer({
    ...settings,
    metrics: createMetrics({ process: "worker" }),
    ending: neverAborted,
  });
  expect(await askPulse(`127.0.0.1:${server.port}`, neverAborted)).toBe(true);
});

test("one lives that closes the connection, and none that takes no connection or says nothing", async () => {
  const closing = createServer((socket) => socket.once("data", () => socket.destroy()));
  const silent = createServer(() => undefined);
  for (const server of [closing, silent]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  const addressOf = (server: typeof silent) => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await askPulse(addressOf(closing), neverAborted)).toBe(true);
  const late = new AbortController();
  silent.once("connection", () => late.abort());
  expect(await askPulse(addressOf(silent), late.signal)).toBe(false);
  const address = addressOf(silent);
  for (const server of [closing, silent]) server.close();
  await once(silent, "close");
  expect(await askPulse(address, neverAborted)).toBe(false);
  expect(await askPulse("no address", neverAborted)).toBe(false);
});

import { at, silentLogger } from "@drover/core";
import { NO_STATUS, type WorkerStatus } from "@drover/fleet";
import { SimClock } from "@drover/testkit";
import type { JoinHello, WorkerReport } from "@drover/wire";
import { expect, test } from "vitest";
import { BUSY_HEARTBEAT_MS, STATUS_CHANGE_MS } from "../limits.ts";
import { Membership, type MembershipOptions } from "./membership.ts";

const HEARTBEAT_MS = 1000;

/** A worker that has joined; the test changes what its status says. */
function joined() {
  const clock = new SimClock();
  const listeners: Parameters<MembershipOptions["open"]>[1][] = [];
  const reports: WorkerReport["kind"][] = [];
  const told: { -readonly [K in keyof WorkerStatus]?: WorkerStatus[K] } = {};
  const looked = { count: 0, cached: 0 };
  const membership = new Membership(
    {
      addresses: ["leader"],
      open: (_, listener) => {
        listeners.push(listener);
        return { write: ({ kind }) => reports.push(kind) > 0, cancel: () => undefined };
      },
      clock,
      logger: silentLogger,
    },
    {
      hello: {} as JoinHello,
      status: () => {
        looked.count += 1;
        return { ...NO_STATUS, kvBytesMax: 6400, ...told, sentAtMs: clock.now() };
      },
      loaded: () => new Map(),
      obey: () => undefined,
      cache: {
        takeEvents: () =>
          Array.from({ length: looked.cached }, () => ({ kind: "added", hashes: new Uint8Array(16) }) as never),
        digest: () => ({}) as never,
        snapshot: () => ({}) as never,
      },
    },
  );
  at(listeners, 0).onMessage({ kind: "accepted", leaderEpoch: 1n, schedulerId: "leader", heartbeatMs: HEARTBEAT_MS });
  const pass = async (ms: number) => {
    reports.length = 0;
    looked.count = 0;
    await clock.advance(ms);
    return reports.filter((kind) => kind === "status").length;
  };
  return { clock, membership, told, looked, reports, pass, [Symbol.dispose]: () => membership[Symbol.dispose]() };
}

test("a worker without work says so once a heartbeat, and looks at itself no more often", async () => {
  using it = joined();
  await it.pass(3 * HEARTBEAT_MS);
  expect(await it.pass(10 * HEARTBEAT_MS)).toBe(10);
  expect(it.looked.count).toBe(10);
});

test("a heartbeat is not left out because the last report came a little later than its own", async () => {
  using it = joined();
  await it.pass(3 * HEARTBEAT_MS + 50);
  it.told.kvBytesUsed = 3200;
  it.membership.noteNews();
  expect(await it.pass(0)).toBe(1);
  expect(await it.pass(10 * HEARTBEAT_MS)).toBe(10);
});

test("a worker with requests speaks several times a second, though nothing of it changes", async () => {
  using it = joined();
  it.told.runningCount = 1;
  await it.pass(3 * HEARTBEAT_MS);
  expect(await it.pass(10 * BUSY_HEARTBEAT_MS)).toBe(10);
});

test("what a worker takes on is told at once, and each change of it soon, until nothing is left", async () => {
  using it = joined();
  await it.pass(3 * HEARTBEAT_MS);
  it.told.waitingCount = 1;
  it.membership.noteNews();
  expect(await it.pass(0)).toBe(1);
  it.told.waitingCount = 0;
  it.told.runningCount = 1;
  expect(await it.pass(STATUS_CHANGE_MS)).toBe(1);
  it.told.runningCount = 0;
  expect(await it.pass(STATUS_CHANGE_MS)).toBe(1);
  await it.pass(HEARTBEAT_MS);
  expect(await it.pass(10 * HEARTBEAT_MS)).toBe(10);
});

test("while streams only run, their KV is told with each sign of life, and sooner where it takes a large part of all", async () => {
  using it = joined();
  it.told.runningCount = 1;
  await it.pass(HEARTBEAT_MS);
  for (let used = 0; used < 50; used += 1) {
    it.told.kvBytesUsed = 1 + used;
    await it.clock.advance(STATUS_CHANGE_MS);
  }
  it.reports.length = 0;
  it.told.kvBytesUsed = 99;
  expect(await it.pass(10 * BUSY_HEARTBEAT_MS)).toBe(10);
  it.told.kvBytesUsed = 101;
  expect(await it.pass(STATUS_CHANGE_MS)).toBe(1);
});

test("what enters the cache is told with a change of the status, and a few times a second besides", async () => {
  using it = joined();
  it.told.runningCount = 1;
  await it.pass(HEARTBEAT_MS);
  it.looked.cached = 1;
  await it.pass(10 * HEARTBEAT_MS);
  const changes = it.reports.filter((kind) => kind === "cache_changes").length;
  expect(changes).toBeGreaterThan(20);
  expect(changes).toBeLessThanOrEqual(40);
  await it.clock.advance(2 * STATUS_CHANGE_MS);
  it.told.runningCount = 0;
  await it.pass(STATUS_CHANGE_MS);
  expect(it.reports).toContain("cache_changes");
});

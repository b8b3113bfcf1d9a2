import { EndingSequence } from "@drover/process";
import { RecordingLogger, SimClock, settled } from "@drover/testkit";
import { expect, test } from "vitest";
import { FakeLink, FakeRole } from "./testing/fake-role.ts";
import { Worker } from "./worker.ts";

function scene() {
  const clock = new SimClock();
  const ending = new EndingSequence({ clock, drainDelay: 1000, drainGrace: 5000 });
  const ended = new AbortController();
  const events: string[] = [];
  const experts = new FakeRole("experts", events, ended.signal);
  const attention = new FakeRole("attention", events, ended.signal);
  const link = new FakeLink(events);
  const logger = new RecordingLogger();
  const worker = new Worker({ roles: [experts, attention], link, ending, ended, clock, logger, card: () => undefined });
  return { clock, ending, ended, events, experts, attention, link, logger, worker };
}

test("a worker takes what comes until it refuses, drains every role, and stops when none is busy any more", async () => {
  const { clock, ending, events, experts, attention, logger, worker } = scene();
  attention.busy = true;
  const run = worker.run();
  void ending.ask();
  await clock.advance(999);
  expect(events).toEqual(["status"]);
  await clock.advance(1);
  expect(events).toEqual(["status", "experts begins to drain", "attention begins to drain"]);
  events.length = 0;
  experts.busy = true;
  attention.busy = false;
  await clock.advance(2000);
  expect(events).toEqual([]);
  experts.busy = false;
  await clock.advance(100);
  await run;
  expect(events).toEqual(["experts hands back", "attention hands back", "experts stops", "attention stops", "leaves"]);
  expect(logger.lines).toContainEqual(
    expect.objectContaining({ event: "worker.drained", fields: { finished: true, handedBack: 0 } }),
  );
});

test("what a role has not finished when the time is over is handed back", async () => {
  const { clock, ending, attention, logger, worker } = scene();
  Object.assign(attention, { busy: true, requestCount: 3 });
  const run = worker.run();
  void ending.ask();
  await clock.advance(6000);
  await run;
  expect(logger.lines).toContainEqual(
    expect.objectContaining({ event: "worker.drained", fields: { finished: false, handedBack: 3 } }),
  );
});

test("a role that cannot go on ends the worker with its reason, asked or not", async () => {
  const { attention, worker } = scene();
  const run = worker.run();
  attention.fail(new Error("the loop is broken"));
  await expect(run).rejects.toThrow("the loop is broken");
});

test("of reasons why it is not ready the worker's own come first, then those of its roles in their order", async () => {
  const { clock, experts, attention, link, worker } = scene();
  expect(worker.unready()).toBeNull();
  attention.reason = "its steps are being measured";
  expect(worker.unready()).toBe(attention.reason);
  experts.reason = "no expert map";
  expect(worker.unready()).toBe(experts.reason);
  worker.obey({ kind: "set_drain", wanted: true });
  expect(worker.unready()).toBe("it was asked to drain");
  link.isJoined = false;
  expect(worker.unready()).toBe("no scheduler has taken it among its workers yet");
  link.leaderlessSinceMs = clock.monotonic();
  await clock.advance(10_000);
  expect(worker.unready()).toBe("it was asked to drain");
  await clock.advance(1);
  expect(worker.unready()).toBe("no scheduler has it among its workers any more");
});

test("what a scheduler says of a drain that was taken back meanwhile is not heard", () => {
  const { events, worker } = scene();
  const state = { drained: true, expertsDrained: true, obstacle: undefined, expertCount: 0, requestCount: 0 };
  for (const wanted of [true, false]) {
    worker.obey({ kind: "set_drain", wanted });
    events.length = 0;
    worker.obey({ kind: "drain_state", state });
    expect(events).toEqual(wanted ? ["experts drain_state", "attention drain_state"] : []);
  }
});

test("a status is what the roles say together, the later one's word where both speak, and zero where none does", () => {
  const { experts, attention, worker } = scene();
  experts.says = { expertRowCount: 7, kvBytesMax: 10 };
  attention.says = { ready: false, kvBytesMax: 20, runningCount: 2 };
  expect(worker.status()).toMatchObject({
    ready: false,
    expertRowCount: 7,
    kvBytesMax: 20,
    runningCount: 2,
    waitingCount: 0,
    hottest: [],
  });
  expect(worker.facts()).toEqual({
    roles: ["experts", "attention"],
    draining: false,
    experts: "here",
    attention: "here",
  });
});

test("every role hears every order, and the wish of an operator once, after which the status is told", () => {
  const { events, worker } = scene();
  worker.obey({ kind: "accepted", leaderEpoch: 1n, schedulerId: "s", heartbeatMs: 1000 });
  expect(events.splice(0)).toEqual(["experts accepted", "attention accepted"]);
  for (const wanted of [false, true, true]) worker.obey({ kind: "set_drain", wanted });
  expect(events.splice(0)).toEqual(["experts drain true", "attention drain true", "status"]);
  expect(worker.draining).toBe(true);
  worker.obey({ kind: "set_drain", wanted: false });
  expect(events).toEqual(["experts drain false", "attention drain false", "status"]);
  expect(worker.draining).toBe(false);
});

test("a worker that is asked to end says so, and drains from then on", async () => {
  const { ending, events, worker } = scene();
  void worker.run();
  expect(worker.draining).toBe(false);
  void ending.ask();
  await settled();
  expect([worker.draining, events]).toEqual([true, ["status"]]);
});

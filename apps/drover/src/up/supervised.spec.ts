import type { Clock } from "@drover/core";
import { describe, expect, it } from "vitest";
import { STABLE_AFTER_MS, STOP_GRACE_MS } from "../limits.ts";
import type { Exit, Launched, Observer } from "./launch.ts";
import { type Addresses, Supervised, type SupervisedEvent } from "./supervised.ts";

/** Sleeps that end when the test says so. */
class HeldClock implements Clock {
  time = 0;
  readonly sleeps: { ms: number; end(): void }[] = [];
  now = () => this.time;
  monotonic = () => this.time;
  sleep = (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.sleeps.push({ ms, end: resolve });
    });
}

type Life = { before: Addresses | undefined; observer: Observer; kills: string[]; end(exit: Exit): void };

function supervise(obeys = true) {
  const clock = new HeldClock();
  const events: SupervisedEvent[] = [];
  const lives: Life[] = [];
  const launch = (before: Addresses | undefined, observer: Observer): Launched => {
    const { promise, resolve } = Promise.withResolvers<Exit>();
    const life: Life = { before, observer, kills: [], end: resolve };
    lives.push(life);
    const kill = (signal: NodeJS.Signals) => {
      life.kills.push(signal);
      if (obeys || signal === "SIGKILL") resolve({ code: null, signal });
    };
    return { pid: 100 + lives.length, kill, exit: promise };
  };
  const child = new Supervised({ name: "worker", launch }, clock, (event) => events.push(event));
  child.start();
  return {
    child,
    clock,
    events,
    lives,
    life: (index: number): Life => lives[index] ?? expect.unreachable("not launched"),
  };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const killed: Exit = { code: null, signal: "SIGKILL" };
const listens = (life: Life, grpc = "127.0.0.1:7") => {
  life.observer.announce({ kind: "listening", addresses: { grpc } });
  life.observer.announce({ kind: "ready" });
};

describe("Supervised", () => {
  it("tells the addresses and readiness that the child announces", async () => {
    const { child, life } = supervise();
    listens(life(0));
    expect(await child.listening).toEqual({ grpc: "127.0.0.1:7" });
    await child.ready;
    expect(child.isReady).toBe(true);
  });

  it("starts a dead child again where it was, later with each death", async () => {
    const { clock, events, lives, life } = supervise();
    for (let death = 0; death < 3; death++) {
      listens(life(death));
      life(death).end(killed);
      await settled();
      expect(lives).toHaveLength(death + 1);
      clock.sleeps.at(-1)?.end();
      await settled();
      expect(life(death + 1).before).toEqual({ grpc: "127.0.0.1:7" });
    }
    expect(clock.sleeps.map((sleep) => sleep.ms)).toEqual([250, 500, 1000]);
    expect(events.filter((event) => event.kind === "died")).toHaveLength(3);
  });

  it("forgives earlier deaths after a long life", async () => {
    const { clock, life } = supervise();
    listens(life(0));
    life(0).end(killed);
    await settled();
    clock.sleeps.at(-1)?.end();
    await settled();
    clock.time += STABLE_AFTER_MS;
    life(1).end(killed);
    await settled();
    expect(clock.sleeps.map((sleep) => sleep.ms)).toEqual([250, 250]);
  });

  it("says once in each life that the child is ready", async () => {
    const { clock, events, life } = supervise();
    listens(life(0));
    listens(life(0));
    life(0).end(killed);
    await settled();
    clock.sleeps.at(-1)?.end();
    await settled();
    listens(life(1));
    expect(events.filter((event) => event.kind === "ready").map((event) => event.again)).toEqual([false, true]);
  });

  it("gives up a child that ends before it has ever listened", async () => {
    const { child, lives, life } = supervise();
    life(0).end({ code: 1, signal: null });
    await expect(child.listening).rejects.toMatchObject({ code: "unavailable" });
    await expect(child.ready).rejects.toThrow("exit status 1");
    expect(lives).toHaveLength(1);
  });

  it("does not start a child again that it stops", async () => {
    const { child, lives, life } = supervise();
    listens(life(0));
    await child.stop();
    expect(life(0).kills).toEqual(["SIGTERM"]);
    expect(lives).toHaveLength(1);
  });

  it("stops waiting to start again when it is stopped", async () => {
    const { child, lives, life } = supervise();
    listens(life(0));
    life(0).end(killed);
    await settled();
    await child.stop();
    expect(lives).toHaveLength(1);
  });

  it("kills a child that does not end in its grace", async () => {
    const { child, clock, life } = supervise(false);
    listens(life(0));
    const stopped = child.stop();
    await settled();
    expect(life(0).kills).toEqual(["SIGTERM"]);
    expect(clock.sleeps.at(-1)?.ms).toBe(STOP_GRACE_MS);
    clock.sleeps.at(-1)?.end();
    await stopped;
    expect(life(0).kills).toEqual(["SIGTERM", "SIGKILL"]);
  });

  it("names every process that has begun and ended, for whoever must not leave one behind", async () => {
    const { child, events, life } = supervise();
    listens(life(0));
    await child.stop();
    const lifeEvents = events.filter((event) => event.kind === "started" || event.kind === "ended");
    expect(lifeEvents).toEqual([
      { kind: "started", name: "worker", pid: 101 },
      { kind: "ended", name: "worker", pid: 101 },
    ]);
  });
});

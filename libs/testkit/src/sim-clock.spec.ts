import { neverAborted } from "@drover/core";
import { expect, test } from "vitest";
import { SimClock } from "./sim-clock.ts";

test("time passes only when it is told to", async () => {
  const clock = new SimClock(5000);
  expect([clock.now(), clock.monotonic()]).toEqual([5000, 0]);
  await clock.advance(250);
  expect([clock.now(), clock.monotonic()]).toEqual([5250, 250]);
  await expect(clock.advance(-1)).rejects.toThrow(/never goes back/);
});

test("sleepers wake at their own time, in order, equal ones in the order they lay down", async () => {
  const clock = new SimClock(0);
  const woken: [string, number][] = [];
  const sleeper = async (name: string, ms: number) => {
    await clock.sleep(ms, neverAborted);
    woken.push([name, clock.now()]);
  };
  const all = [sleeper("late", 30), sleeper("first", 10), sleeper("second", 10), sleeper("now", 0)];
  await clock.advance(29);
  expect(woken).toEqual([
    ["now", 0],
    ["first", 10],
    ["second", 10],
  ]);
  expect(clock.sleeperCount).toBe(1);
  await clock.advance(1);
  await Promise.all(all);
  expect(woken.at(-1)).toEqual(["late", 30]);
});

test("a loop that sleeps anew is woken as often as its time comes", async () => {
  const clock = new SimClock(0);
  const ticks: number[] = [];
  const end = new AbortController();
  const loop = (async () => {
    for (;;) {
      await clock.sleep(10, end.signal);
      ticks.push(clock.now());
    }
  })();
  await clock.advance(35);
  expect(ticks).toEqual([10, 20, 30]);
  end.abort(new Error("over"));
  await expect(loop).rejects.toThrow("over");
  expect(clock.sleeperCount).toBe(0);
});

test("an abort ends a sleep with the signal's reason, and never wakes it", async () => {
  const clock = new SimClock();
  const reason = new Error("gone");
  await expect(clock.sleep(1, AbortSignal.abort(reason))).rejects.toBe(reason);
  const end = new AbortController();
  const ended = expect(clock.sleep(1, end.signal)).rejects.toBe(reason);
  end.abort(reason);
  await clock.advance(5);
  await ended;
});

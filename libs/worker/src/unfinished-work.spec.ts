import { EndingSequence } from "@drover/process";
import { SimClock } from "@drover/testkit";
import { expect, test } from "vitest";
import { finished } from "./unfinished-work.ts";

function scene(busyUntilMs: number) {
  const clock = new SimClock();
  const ending = new EndingSequence({ clock, drainDelay: 1000, drainGrace: 5000 });
  let begunAtMs: number | undefined;
  let endedAtMs: number | undefined;
  const part = {
    begin: () => {
      begunAtMs = clock.monotonic();
    },
    isBusy: () => clock.monotonic() < busyUntilMs,
  };
  const result = finished(ending, [part], clock).finally(() => {
    endedAtMs = clock.monotonic();
  });
  return { clock, ending, result, moments: () => [begunAtMs, endedAtMs] };
}

test("a worker takes work until it refuses, and ends as soon as it has finished it", async () => {
  const { clock, ending, result, moments } = scene(2000);
  await clock.advance(500);
  expect(moments()).toEqual([undefined, undefined]);
  void ending.ask();
  await clock.advance(10_000);
  expect(await result).toBe(true);
  expect(moments()).toEqual([1500, 2000]);
});

test("a worker that has not finished when its time is over says so", async () => {
  const { clock, ending, result, moments } = scene(1e9);
  void ending.ask();
  await clock.advance(10_000);
  expect(await result).toBe(false);
  expect(moments()).toEqual([1000, 6000]);
});

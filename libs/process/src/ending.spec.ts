import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { SimClock, settled } from "@drover/testkit";
import { expect, test } from "vitest";
import { EndingSequence } from "./ending.ts";

function scene(drainDelay: number, drainGrace: number) {
  const clock = new SimClock();
  const ending = new EndingSequence({ clock, drainDelay, drainGrace });
  const moments = () => [ending.asked, ending.refusing, ending.over].map(({ aborted }) => aborted);
  return { clock, ending, moments };
}

test("new work is taken for the delay, and what runs may go on for the grace after it", async () => {
  const { clock, ending, moments } = scene(5000, 60_000);
  void ending.ask();
  expect(moments()).toEqual([true, false, false]);
  await clock.advance(4999);
  expect(moments()).toEqual([true, false, false]);
  await clock.advance(1);
  expect(moments()).toEqual([true, true, false]);
  await clock.advance(59_999);
  expect(moments()).toEqual([true, true, false]);
  await clock.advance(1);
  expect(moments()).toEqual([true, true, true]);
});

test("to be asked again changes nothing", async () => {
  const { clock, ending, moments } = scene(0, 1000);
  void ending.ask();
  await clock.advance(600);
  void ending.ask();
  await clock.advance(400);
  expect(moments()).toEqual([true, true, true]);
});

test("without delay and grace all is over at once", () => {
  const { ending, moments } = scene(0, 0);
  void ending.ask();
  expect(moments()).toEqual([true, true, true]);
});

test("a cut brings every moment at once, and leaves nothing to wait for", async () => {
  const { ending, moments } = scene(5000, 60_000);
  const asked = ending.ask();
  ending.cut();
  expect(moments()).toEqual([true, true, true]);
  await asked;
  await settled();
});

test("a second signal ends the process at once, however long it would have drained", async () => {
  const child = fork(fileURLToPath(new URL("testing/ending-child.ts", import.meta.url)), {
    execArgv: ["--conditions=@drover/source"],
  });
  expect(await once(child, "message")).toEqual(["running", undefined]);
  const asked = once(child, "message");
  child.kill("SIGTERM");
  expect(await asked).toEqual(["asked", undefined]);
  const exit = once(child, "exit");
  child.kill("SIGINT");
  expect(await exit).toEqual([130, null]);
});

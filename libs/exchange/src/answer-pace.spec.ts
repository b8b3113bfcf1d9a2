import { expect, test } from "vitest";
import { AnswerPace } from "./answer-pace.ts";
import { PACE_SAMPLES_AT_ONCE, SILENT_MS_MIN } from "./limits.ts";
import { SteppedClock } from "./testing/stepped-clock.ts";

/** A peer of which so many answers are known, a millisecond for each of 10. */
async function paceAfter(count: number) {
  const clock = new SteppedClock();
  const pace = new AnswerPace(clock, "w");
  for (let i = 0; i < count; i++) {
    const { promise, resolve } = Promise.withResolvers<string>();
    const answer = pace.within(10, promise);
    clock.pass(1);
    resolve("yes");
    expect(await answer).toBe("yes");
  }
  /** Lets so much time pass, with a turn of the loop after each part of it. */
  const pass = async (ms: number) => {
    for (let i = 0; i < 20; i++) {
      clock.pass(ms / 20);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { pace, clock, pass };
}

/** What has come of a promise so far. */
const stateOf = <T>(promise: Promise<T>) => Promise.race([promise, Promise.resolve("waits")]);

test("an answer is waited for by the times of those before, and its peer is not asked again before it has come", async () => {
  const { pace, pass } = await paceAfter(PACE_SAMPLES_AT_ONCE);
  const { promise, resolve } = Promise.withResolvers<string>();
  const answer = pace.within(10, promise);
  await pass(SILENT_MS_MIN / 2);
  expect([await stateOf(answer), pace.isWithheld]).toEqual(["waits", false]);
  await pass(SILENT_MS_MIN);
  expect([await answer, pace.isWithheld]).toEqual([undefined, true]);
  resolve("late");
  await pass(1);
  expect(pace.isWithheld).toBe(false);
  expect(await pace.within(10, Promise.resolve("yes"))).toBe("yes");
});

test("what is asked for more is waited for longer, and what is asked first as long as the call lasts", async () => {
  const known = await paceAfter(PACE_SAMPLES_AT_ONCE);
  const unknown = await paceAfter(PACE_SAMPLES_AT_ONCE - 1);
  const never = new Promise<string>(() => undefined);
  for (const [{ pace, pass }, size] of [[known, 100_000] as const, [unknown, 10] as const]) {
    const answer = pace.within(size, never);
    await pass(4 * SILENT_MS_MIN);
    expect([await stateOf(answer), pace.isWithheld]).toEqual(["waits", false]);
  }
});

test("a call that ends without an answer is over at once, and says nothing of its peer's times", async () => {
  const { pace, pass } = await paceAfter(PACE_SAMPLES_AT_ONCE);
  expect([await pace.within(10, Promise.resolve(undefined)), pace.isWithheld]).toEqual([undefined, false]);
  const broken = Promise.withResolvers<undefined>();
  const answer = pace.within(10, broken.promise);
  await pass(2 * SILENT_MS_MIN);
  expect(pace.isWithheld).toBe(true);
  broken.resolve(undefined);
  await pass(1);
  expect([await answer, pace.isWithheld]).toEqual([undefined, false]);
});

test("a process that itself stood still reads what came meanwhile before it calls anybody silent", async () => {
  const { pace, clock } = await paceAfter(PACE_SAMPLES_AT_ONCE);
  const { promise, resolve } = Promise.withResolvers<string>();
  const answer = pace.within(10, promise);
  clock.pass(100 * SILENT_MS_MIN);
  resolve("yes");
  expect([await answer, pace.isWithheld]).toEqual(["yes", false]);
});

import { describe, expect, test } from "vitest";
import type { Clock } from "./clock.ts";
import { DroverError } from "./errors.ts";
import { neverAborted, untilAborted, withTimeout } from "./signals.ts";

/** A clock that stands still until a test lets its only sleep end. */
function standingClock() {
  const sleeps: { ms: number; end: () => void; signal: AbortSignal }[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleeps.push({ ms, end: resolve, signal });
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
  };
  return { clock, sleeps };
}

const limit = { ms: 300, message: "the queue did not answer within 0.3 s" };
const never = new Promise<never>(() => undefined);
const left = new DroverError("cancelled", "the client has left");

describe("withTimeout", () => {
  test("a call that heeds nothing ends with the limit's fault once its time is over, and its signal says why", async () => {
    const { clock, sleeps } = standingClock();
    let given: AbortSignal = neverAborted;
    const call = withTimeout(limit, clock, neverAborted, (signal) => {
      given = signal;
      return never;
    });
    expect(sleeps.map(({ ms }) => ms)).toEqual([300]);
    expect(given.aborted).toBe(false);
    sleeps[0]?.end();
    await expect(call).rejects.toMatchObject({ code: "deadline_exceeded", message: limit.message });
    await expect(call).rejects.toBeInstanceOf(DroverError);
    expect(given.reason).toMatchObject({ code: "deadline_exceeded" });
  });

  test("a limit may say by which code it is missed", async () => {
    const { clock, sleeps } = standingClock();
    const call = withTimeout({ ...limit, code: "unavailable" }, clock, neverAborted, () => never);
    sleeps[0]?.end();
    await expect(call).rejects.toMatchObject({ code: "unavailable", message: limit.message });
  });

  test("a caller that leaves sooner gets its own reason, whatever the call says of it", async () => {
    const { clock, sleeps } = standingClock();
    const caller = new AbortController();
    const call = withTimeout(limit, clock, caller.signal, (signal) => {
      const failed = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => failed.reject(new Error("aborted")));
      return failed.promise;
    });
    caller.abort(left);
    await expect(call).rejects.toBe(left);
    expect(sleeps[0]?.signal.aborted).toBe(true);
  });

  test("a call that ends in time leaves nothing behind", async () => {
    const { clock, sleeps } = standingClock();
    let given: AbortSignal = neverAborted;
    const answer = await withTimeout(limit, clock, neverAborted, async (signal) => {
      given = signal;
      return 7;
    });
    expect(answer).toBe(7);
    expect(sleeps.every(({ signal }) => signal.aborted)).toBe(true);
    expect(given.aborted).toBe(false);
    const fault = new DroverError("overloaded", "full");
    await expect(withTimeout(limit, clock, neverAborted, () => Promise.reject(fault))).rejects.toBe(fault);
  });

  test("a caller that has left makes no call", async () => {
    const { clock } = standingClock();
    let callCount = 0;
    const call = withTimeout(limit, clock, AbortSignal.abort(left), async () => {
      callCount += 1;
    });
    await expect(call).rejects.toBe(left);
    expect(callCount).toBe(0);
  });
});

test("work is left behind when the signal aborts, and its late failure is nobody's", async () => {
  const ended = new AbortController();
  const work = Promise.withResolvers<never>();
  const waiting = untilAborted(work.promise, ended.signal);
  ended.abort(left);
  await expect(waiting).rejects.toBe(left);
  work.reject(new Error("too late to matter"));
  await expect(untilAborted(Promise.resolve(7), neverAborted)).resolves.toBe(7);
});

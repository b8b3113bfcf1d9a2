import { type Clock, neverAborted, systemClock } from "@drover/core";
import type { Redis } from "ioredis";
import { expect, test } from "vitest";
import { LEASE_MS, LEASE_RENEW_MS } from "./limits.ts";
import { RedisLease } from "./redis-lease.ts";

test.each([0, 1, 20, 100, 124, 126, 300])(
  "a leader whose timers are each %i ms late stops before its lease may have run out, and no later than one of them",
  async (lateMs) => {
    let nowMs = 0;
    const clock: Clock = {
      ...systemClock,
      monotonic: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms + lateMs;
      },
    };
    // It grants the lease, and then nothing is heard of it.
    let askedCount = 0;
    const silence = new Promise<number>(() => undefined);
    const redis = { status: "ready", eval: () => (askedCount++ === 0 ? Promise.resolve(1) : silence) };
    const options = { cluster: "c", modelId: "m", address: "a:1", clock };
    const { lost } = await new RedisLease(redis as unknown as Redis, options).acquire(neverAborted);
    await new Promise((resolve) => lost.addEventListener("abort", resolve, { once: true }));
    expect(nowMs).toBeGreaterThanOrEqual(LEASE_MS - LEASE_RENEW_MS);
    expect(nowMs).toBeLessThanOrEqual(LEASE_MS - LEASE_RENEW_MS + lateMs);
  },
);

test("a candidate asks for an epoch above that of every leader it has seen, also once Redis has forgotten them", async () => {
  const clock: Clock = { ...systemClock, sleep: async () => undefined };
  const answers = [-70, -90, 0, 91];
  const floors: unknown[] = [];
  const evaluate = async (...args: unknown[]) => {
    floors.push(args.at(-1));
    return answers.shift();
  };
  const redis = { status: "ready", eval: evaluate } as unknown as Redis;
  const options = { cluster: "c", modelId: "m", address: "a:1", clock };
  const grant = await new RedisLease(redis, options).acquire(neverAborted);
  expect(grant.epoch).toBe(91n);
  expect(floors.slice(0, 4)).toEqual(["0", "70", "90", "90"]);
});

import { modelId, type QueueJob, requestId, routerId } from "@drover/core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { costOf, FairOrder, isBefore, type Rank } from "./fair-order.ts";

const job = (name: string, weight: number, promptTokenCount = 100): QueueJob => ({
  requestId: requestId("r"),
  modelId: modelId("m"),
  routerId: routerId("r"),
  lane: "short",
  front: false,
  attemptBase: 0,
  deadlineMs: 0,
  enqueuedAtMs: 0,
  promptTokenCount,
  newTokenCountMax: 100,
  choiceCount: 1,
  blockHashes: new Uint8Array(),
  payload: { kind: "inline", bytes: new Uint8Array() },
  tenant: { name, weight, priority: "normal", cacheSalt: "" },
});

/** Takes `count` jobs in their order, and says what each tenant got of what it takes, its weight not counted. */
function served(jobs: readonly QueueJob[], count: number): Map<string, number> {
  const order = new FairOrder();
  const waiting: { job: QueueJob; rank: Rank }[] = jobs.map((one) => ({ job: one, rank: order.rank(one) }));
  const got = new Map<string, number>();
  for (let taken = 0; taken < count; taken++) {
    waiting.sort((a, b) => (isBefore(a.rank, b.rank) ? -1 : isBefore(b.rank, a.rank) ? 1 : 0));
    const next = waiting.shift();
    if (next === undefined) break;
    order.taken(next.rank);
    const { name, weight } = next.job.tenant ?? { name: "", weight: 1 };
    got.set(name, (got.get(name) ?? 0) + costOf(next.job) * weight);
  }
  return got;
}

it("tenants that always have something waiting get parts as their weights are, within one job of each", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), fc.nat(60), (one, other, count) => {
      const jobs = [...Array(80).fill(job("a", one)), ...Array(80).fill(job("b", other))];
      const got = served(jobs, count);
      const difference = (got.get("a") ?? 0) / one - (got.get("b") ?? 0) / other;
      expect(Math.abs(difference)).toBeLessThanOrEqual(1 / one + 1 / other);
    }),
    { numRuns: 60 },
  );
});

it("a tenant that comes late gets no more than its part for the time before", () => {
  const order = new FairOrder();
  for (let i = 0; i < 10; i++) order.taken(order.rank(job("a", 1)));
  const late = order.rank(job("b", 1));
  const next = order.rank(job("a", 1));
  expect(late.tag).toBeGreaterThanOrEqual(9);
  expect(isBefore(late, next)).toBe(true);
});

it("a job takes by its tokens: many short ones go beside one long", () => {
  const jobs = [...Array(4).fill(job("long", 1, 2000)), ...Array(40).fill(job("short", 1, 100))];
  const got = served(jobs, 12);
  expect(got.get("short")).toBeGreaterThan(5);
});

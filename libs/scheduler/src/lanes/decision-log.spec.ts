import type { JobLease } from "@drover/core";
import { workerId } from "@drover/core";
import type { PlacementDecision } from "@drover/fleet";
import { describe, expect, it } from "vitest";
import { DECISIONS_OF_REQUEST_MAX, REQUESTS_REMEMBERED_MAX } from "../limits.ts";
import { job } from "../testing/fake-queue.ts";
import { DecisionLog } from "./decision-log.ts";

const time = { queueMs: 1, prefillMs: 2, loadMs: 3 };
const candidate = { workerId: workerId("a"), refusal: undefined, time, cachedTokenCount: 64, kvBytesFree: -5.5 };
const waits: PlacementDecision = {
  kind: "wait",
  claim: workerId("a"),
  ranking: [{ ...candidate, refusal: "no_kv" }],
  candidateCount: 3,
};
const goes: PlacementDecision = {
  kind: "worker",
  workerId: workerId("a"),
  kvBytes: 1,
  promptMs: 2,
  cachedTokenCount: 64,
  candidate,
  ranking: [candidate],
  candidateCount: 3,
};
const lease = (id: string, attempt = 0): JobLease => ({
  job: job(id),
  attempt,
  lost: new AbortController().signal,
  complete: async () => undefined,
  release: async () => undefined,
});

describe("DecisionLog", () => {
  it("tells how often a request waited and for what, where it went and what became of it", () => {
    const log = new DecisionLog();
    for (let ms = 0; ms < 500; ms += 100) log.record(lease("one"), waits, ms);
    log.record(lease("one"), goes, 500);
    log.conclude(job("one").requestId, "refused: overloaded");
    log.record(lease("one"), goes, 600);
    expect(log.of("one")).toMatchObject([
      {
        kind: "wait",
        workerId: "a",
        times: 5,
        firstAtMs: 0,
        lastAtMs: 400,
        reason: expect.stringContaining("no_kv"),
      },
      { kind: "worker", times: 1, outcome: "refused: overloaded", candidates: [{ time, cachedTokenCount: 64 }] },
      { kind: "worker", workerId: "a", times: 1, outcome: undefined, candidateCount: 3 },
    ]);
    expect(log.of("two")).toEqual([]);
  });

  it("remembers the last decisions of the last requests only", () => {
    const log = new DecisionLog();
    for (let attempt = 0; attempt < 3 * DECISIONS_OF_REQUEST_MAX; attempt++)
      log.record(lease("busy", attempt), goes, 0);
    expect(log.of("busy").map(({ attempt }) => attempt)).toEqual([16, 17, 18, 19, 20, 21, 22, 23]);
    for (let i = 0; i < REQUESTS_REMEMBERED_MAX; i++) log.record(lease(`r${i}`), goes, 0);
    expect(log.of("busy")).toEqual([]);
    expect(log.of("r0")).toHaveLength(1);
  });
});

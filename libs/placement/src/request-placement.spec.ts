import { modelId, workerId } from "@drover/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXPECTED_OUTPUT_TOKENS, WORKER_WAITING_MAX } from "./limits.ts";
import { freeBytes, hasRoom, type PlaceableRequest, placeRequest, type WorkerCapacity } from "./request-placement.ts";

const nano = modelId("nano");

const worker = (id: string, fields: Partial<WorkerCapacity> = {}): WorkerCapacity => ({
  workerId: workerId(id),
  modelId: nano,
  available: true,
  kvBytesUsed: 0,
  kvBytesMax: 10_000,
  kvBytesPerToken: 10,
  kvBytesFixed: 100,
  runningCount: 0,
  waitingCount: 0,
  waitingTokenCount: 0,
  contextTokensMax: 1000,
  reservedBytes: 0,
  reservedCount: 0,
  ...fields,
});

const request = (fields: Partial<PlaceableRequest> = {}): PlaceableRequest => ({
  modelId: nano,
  promptTokenCount: 100,
  newTokenCountMax: 50,
  choiceCount: 1,
  ...fields,
});

describe("placeRequest", () => {
  it("takes the worker with the fewest requests, and among equals the one with most free KV, then the first id", () => {
    const busy = worker("a", { runningCount: 3 });
    expect(placeRequest([busy, worker("b", { runningCount: 1 })], request())).toMatchObject({ workerId: "b" });
    expect(placeRequest([worker("a", { kvBytesUsed: 500 }), worker("b")], request())).toMatchObject({ workerId: "b" });
    expect(placeRequest([worker("b"), worker("a")], request())).toMatchObject({ workerId: "a", kvBytes: 1600 });
  });

  it("counts what was placed since the last status, in bytes and in load", () => {
    const full = worker("a", { reservedBytes: 9000, reservedCount: 1 });
    expect(placeRequest([full], request())).toEqual({ kind: "wait" });
    expect(
      placeRequest([worker("a", { reservedCount: 2 }), worker("b", { runningCount: 1 })], request()),
    ).toMatchObject({ workerId: "b" });
  });

  it("counts the prompts that still wait inside a worker", () => {
    const backlog = worker("a", { waitingCount: 1, waitingTokenCount: 900 });
    expect(freeBytes(backlog)).toBe(10_000 - 9000 - 100);
    expect(placeRequest([backlog], request())).toEqual({ kind: "wait" });
  });

  it("counts only the output that is to be expected, not the most that is allowed", () => {
    const decision = placeRequest([worker("a")], request({ promptTokenCount: 10, newTokenCountMax: 900 }));
    expect(decision).toMatchObject({ kind: "worker", kvBytes: 10 * (10 + EXPECTED_OUTPUT_TOKENS) + 100 });
  });

  it("gives an idle worker whatever fits its context, though cached prefixes fill its KV", () => {
    expect(placeRequest([worker("a", { kvBytesUsed: 9990 })], request())).toMatchObject({ kind: "worker" });
    expect(placeRequest([worker("a", { kvBytesUsed: 9990, runningCount: 1 })], request())).toEqual({ kind: "wait" });
  });

  it("never goes to a worker that is unavailable, has a backlog or serves another model", () => {
    expect(placeRequest([worker("a", { available: false })], request())).toEqual({ kind: "wait" });
    expect(placeRequest([worker("a", { waitingCount: WORKER_WAITING_MAX })], request())).toEqual({ kind: "wait" });
    expect(placeRequest([worker("a", { modelId: modelId("scout") })], request())).toEqual({ kind: "wait" });
  });

  it("says never when one choice is longer than any worker's context, and waits while no worker is known", () => {
    const long = request({ promptTokenCount: 1000, newTokenCountMax: 1 });
    expect(placeRequest([worker("a"), worker("b")], long)).toMatchObject({ kind: "never" });
    expect(placeRequest([worker("a"), worker("b", { contextTokensMax: 2000 })], long)).toMatchObject({ workerId: "b" });
    expect(placeRequest([worker("a", { available: false, contextTokensMax: 2000 })], long)).toEqual({ kind: "wait" });
    expect(placeRequest([], long)).toEqual({ kind: "wait" });
    const choices = request({ promptTokenCount: 1600, newTokenCountMax: 400, choiceCount: 2 });
    expect(placeRequest([worker("a")], choices).kind).not.toBe("never");
  });

  it("never promises more bytes than a busy worker has free", () => {
    const count = fc.nat({ max: 2000 });
    fc.assert(
      fc.property(
        count,
        count,
        count,
        count,
        fc.integer({ min: 1, max: 10 }),
        (used, waiting, prompt, output, running) => {
          const one = worker("a", {
            kvBytesUsed: used,
            waitingTokenCount: waiting,
            waitingCount: waiting > 0 ? 1 : 0,
            runningCount: running,
            contextTokensMax: 10_000,
          });
          const decision = placeRequest([one], request({ promptTokenCount: prompt, newTokenCountMax: output }));
          if (decision.kind === "worker") expect(decision.kvBytes).toBeLessThanOrEqual(freeBytes(one));
          else expect(decision.kind).toBe("wait");
        },
      ),
    );
  });
});

describe("hasRoom", () => {
  it("asks whether a small request would be placed", () => {
    expect(hasRoom([worker("a")], nano)).toBe(true);
    expect(hasRoom([worker("a", { kvBytesUsed: 9999, runningCount: 1 })], nano)).toBe(false);
    expect(hasRoom([], nano)).toBe(false);
  });
});

import { modelId } from "@drover/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXPECTED_OUTPUT_TOKENS, WORKER_WAITING_MAX } from "../limits.ts";
import { capacity as worker } from "../testing/capacity.ts";
import { freeBytes, hasRoom, type PlaceableRequest, placeRequest } from "./request-placement.ts";

const nano = modelId("nano");

const request = (fields: Partial<PlaceableRequest> = {}): PlaceableRequest => ({
  modelId: nano,
  promptTokenCount: 100,
  newTokenCountMax: 50,
  choiceCount: 1,
  ...fields,
});

describe("placeRequest", () => {
  it("among equal times, takes the worker with the fewest requests, and among equals the one with most free KV, then the first id", () => {
    const busy = worker("a", { runningCount: 3 });
    expect(placeRequest([busy, worker("b", { runningCount: 1 })], request())).toMatchObject({ workerId: "b" });
    expect(placeRequest([worker("a", { kvBytesUsed: 500 }), worker("b")], request())).toMatchObject({ workerId: "b" });
    expect(placeRequest([worker("b"), worker("a")], request())).toMatchObject({ workerId: "a", kvBytes: 1600 });
  });

  it("counts of a request that is striped only what stays on the worker, of each choice", () => {
    const busy = { contextTokensMax: 10_000, runningCount: 1 };
    const plain = worker("a", busy);
    const striping = worker("a", { ...busy, striping: { aboveTokens: 2000, keptTokens: 300 } });
    const long = request({ promptTokenCount: 3000 });
    expect(placeRequest([plain], long)).toMatchObject({ kind: "wait" });
    expect(placeRequest([striping], long)).toMatchObject({ kind: "worker", kvBytes: 3100 });
    const both = request({ promptTokenCount: 6000, choiceCount: 2 });
    expect(placeRequest([striping], both)).toMatchObject({ kind: "worker", kvBytes: 6200 });
    expect(placeRequest([striping], request({ promptTokenCount: 1900 }))).toMatchObject({ kind: "wait" });
  });

  it("counts what was placed since the last status, in bytes and in milliseconds", () => {
    const full = worker("a", { reservedBytes: 9000, reservedCount: 1 });
    expect(placeRequest([full], request())).toMatchObject({ kind: "wait" });
    expect(
      placeRequest(
        [worker("a", { reservedCount: 1, reservedPromptMs: [50] }), worker("b", { runningCount: 3 })],
        request(),
      ),
    ).toMatchObject({ workerId: "b" });
  });

  it("counts the prompts that still wait inside a worker", () => {
    const backlog = worker("a", { waitingCount: 1, waitingTokenCount: 900 });
    expect(freeBytes(backlog)).toBe(10_000 - 9000 - 100);
    expect(placeRequest([backlog], request())).toMatchObject({ kind: "wait" });
  });

  it("counts only the output that is to be expected, not the most that is allowed", () => {
    const decision = placeRequest([worker("a")], request({ promptTokenCount: 10, newTokenCountMax: 900 }));
    expect(decision).toMatchObject({ kind: "worker", kvBytes: 10 * (10 + EXPECTED_OUTPUT_TOKENS) + 100 });
  });

  it("gives an idle worker whatever fits its context, though cached prefixes fill its KV", () => {
    expect(placeRequest([worker("a", { kvBytesUsed: 9990 })], request())).toMatchObject({ kind: "worker" });
    const cached = { kvBytesUsed: 9990, kvBytesCached: 9000, runningCount: 1 };
    expect(placeRequest([worker("a", cached)], request())).toMatchObject({ kind: "worker" });
    expect(placeRequest([worker("a", { kvBytesUsed: 9990, runningCount: 1 })], request())).toMatchObject({
      kind: "wait",
    });
  });

  it("never goes to a worker that is unavailable, has a backlog or serves another model", () => {
    expect(placeRequest([worker("a", { available: false })], request())).toMatchObject({ kind: "wait" });
    expect(placeRequest([worker("a", { waitingCount: WORKER_WAITING_MAX })], request())).toMatchObject({
      kind: "wait",
    });
    expect(placeRequest([worker("a", { modelId: modelId("scout") })], request())).toMatchObject({ kind: "wait" });
  });

  it("says never when one choice is longer than any worker's context, and waits while no worker is known", () => {
    const long = request({ promptTokenCount: 1000, newTokenCountMax: 1 });
    expect(placeRequest([worker("a"), worker("b")], long)).toMatchObject({ kind: "never" });
    expect(placeRequest([worker("a"), worker("b", { contextTokensMax: 2000 })], long)).toMatchObject({ workerId: "b" });
    expect(placeRequest([worker("a", { available: false, contextTokensMax: 2000 })], long)).toMatchObject({
      kind: "wait",
    });
    expect(placeRequest([], long)).toMatchObject({ kind: "wait" });
    const choices = request({ promptTokenCount: 1600, newTokenCountMax: 400, choiceCount: 2 });
    expect(placeRequest([worker("a")], choices).kind).not.toBe("never");
  });

  it("goes where the cached prefix saves more than the queue costs, and no further", () => {
    const cachedTokenCount = (id: string) => (id === "b" ? 90 : 0);
    const busy = (ms: number) => worker("b", { runningCount: 1, pendingPromptMs: [ms, ms] });
    expect(placeRequest([worker("a"), busy(5)], request(), { cachedTokenCount })).toMatchObject({
      workerId: "b",
      cachedTokenCount: 90,
      promptMs: 10,
    });
    const queue = worker("b", { runningCount: 12, pendingPromptMs: Array<number>(12).fill(50) });
    expect(placeRequest([worker("a"), queue], request(), { cachedTokenCount })).toMatchObject({ workerId: "a" });
  });

  it("waits when no worker can begin in time, but gives an idle worker whatever comes", () => {
    const queue = { runningCount: 1, pendingPromptMs: [80] };
    const late = placeRequest([worker("a", queue)], request(), { beginWithinMs: 50 });
    expect(late).toMatchObject({ kind: "wait", claim: undefined, ranking: [{ refusal: "too_late" }] });
    const reserved = worker("a", { reservedPromptMs: [80] });
    expect(placeRequest([reserved], request(), { beginWithinMs: 50 })).toMatchObject({ workerId: "a" });
  });

  it("whoever insists is not held up by short prompts without end, but still by a long one", () => {
    const options = { beginWithinMs: 50, insists: true };
    const short = worker("a", { runningCount: 1, pendingPromptMs: [30, 30, 30] });
    expect(placeRequest([short], request(), { beginWithinMs: 50 })).toMatchObject({ kind: "wait" });
    expect(placeRequest([short], request(), options)).toMatchObject({ workerId: "a" });
    const long = worker("a", { runningCount: 1, pendingPromptMs: [30, 80] });
    expect(placeRequest([long], request(), options)).toMatchObject({ kind: "wait", claim: undefined });
  });

  it("leaves claimed room alone, and names the worker that is nearest to having room", () => {
    const isClaimed = (id: string) => id === "a";
    expect(placeRequest([worker("a"), worker("b", { runningCount: 9 })], request(), { isClaimed })).toMatchObject({
      workerId: "b",
    });
    const full = [
      worker("a", { kvBytesUsed: 9999, runningCount: 1 }),
      worker("b", { kvBytesUsed: 9000, runningCount: 9 }),
    ];
    expect(placeRequest(full, request())).toMatchObject({ kind: "wait", claim: "b" });
  });

  it("the same workers in any order give the same decision", () => {
    const load = fc.record({
      runningCount: fc.nat(3),
      kvBytesUsed: fc.nat(5000),
      pendingPromptMs: fc.array(fc.nat(100), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(load, { maxLength: 6 }), fc.nat(), (loads, turn) => {
        const workers = loads.map((fields, i) => worker(`w${i}`, fields));
        const at = workers.length === 0 ? 0 : turn % workers.length;
        const turned = [...workers.slice(at), ...workers.slice(0, at)];
        const told = ({ ranking: _, ...decision }: ReturnType<typeof placeRequest>) => decision;
        expect(told(placeRequest(turned, request()))).toEqual(told(placeRequest(workers, request())));
      }),
    );
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

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unmeasured } from "../testing/capacity.ts";
import { firstTokenTime, type PromptLoad, prefillMs, totalMs } from "./first-token-time.ts";

const costs = { promptRowMs: 0.1, contextTokenMs: 1e-5, decodeMs: 0, decodeRowMs: 1, stepMsMax: 20 };
const idle: PromptLoad = {
  costs,
  runningCount: 0,
  waitingCount: 0,
  waitingTokenCount: 0,
  pendingPromptMs: [],
  reservedPromptMs: [],
};

describe("firstTokenTime", () => {
  it("a row costs more the deeper it lies, and cached rows cost nothing", () => {
    expect(prefillMs(costs, 0, 1000)).toBeCloseTo(100 + 5);
    expect(prefillMs(costs, 900, 1000)).toBeCloseTo(10 + 0.95);
    expect(firstTokenTime(idle, 1000, 900)).toEqual({
      queueMs: 0,
      prefillMs: prefillMs(costs, 900, 1000),
      loadMs: 0,
    });
  });

  it("each prompt that is there delays a new one by no more than the new one needs itself", () => {
    const load = { ...idle, pendingPromptMs: [2, 3, 3_600_000], reservedPromptMs: [1] };
    expect(firstTokenTime(load, 100, 0).queueMs).toBeCloseTo(1 + 2 + 3 + 10.05);
    expect(firstTokenTime(load, 1_000_000, 0).queueMs).toBeCloseTo(3_600_000 + 6);
  });

  it("decoding takes its share of the time, but never all of it", () => {
    const half = firstTokenTime({ ...idle, costs: { ...costs, decodeMs: 10 } }, 100, 0);
    expect(half.loadMs).toBeCloseTo(10 + half.prefillMs);
    const most = firstTokenTime({ ...idle, costs: { ...costs, decodeMs: 1000 } }, 100, 0);
    expect(most.loadMs).toBeCloseTo(1000 + 3 * most.prefillMs);
  });

  it("a worker that has measured nothing is judged by its counts", () => {
    const load = { ...idle, costs: unmeasured, runningCount: 2, waitingCount: 2, waitingTokenCount: 40 };
    const time = firstTokenTime(load, 100, 0);
    expect(time).toMatchObject({ queueMs: 40, prefillMs: 100 });
    expect(time.loadMs).toBeGreaterThan(2);
  });

  it("more load never makes it sooner, and more cached tokens never later", () => {
    const ms = fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { maxLength: 5 });
    fc.assert(
      fc.property(ms, ms, fc.nat(999), fc.nat(999), (pending, more, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const time = (pendingPromptMs: readonly number[], cached: number) =>
          totalMs(firstTokenTime({ ...idle, pendingPromptMs }, 1000, cached));
        expect(time(pending, low)).toBeGreaterThanOrEqual(time(pending, high));
        expect(time([...pending, ...more], low)).toBeGreaterThanOrEqual(time(pending, low) - 1e-6);
      }),
    );
  });
});

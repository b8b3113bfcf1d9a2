import { describe, expect, it } from "vitest";
import { LoopLag } from "./loop-lag.ts";

/** Holds up the event loop. */
async function block(ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until);
  await new Promise((done) => setImmediate(done));
}

/** Polls leave the loop next to nothing to do. */
const quiet = (lag: LoopLag) => expect.poll(() => lag.turned(), { interval: 200 }).toBe(false);

describe("LoopLag", () => {
  it("knows a loop that has something to do from one that waits", async () => {
    const lag = new LoopLag();
    lag.turned();
    await block(20);
    expect(lag.turned()).toBe(true);
    await quiet(lag);
    await block(200);
    expect(lag.turned()).toBe(true);
  });

  it("does not take the time without samples for a delay", async () => {
    const lag = new LoopLag();
    await quiet(lag);
    const beganMs = performance.now();
    await quiet(lag);
    await quiet(lag);
    const waitedSeconds = (performance.now() - beganMs) / 1000;
    await block(100);
    expect(lag.turned()).toBe(true);
    await expect.poll(() => lag.seconds().max).toBeGreaterThan(0);
    expect(lag.seconds().max).toBeLessThan(waitedSeconds);
  });
});

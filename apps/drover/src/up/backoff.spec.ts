import { describe, expect, it } from "vitest";
import { RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN, SERVED_AFTER_MS, STABLE_AFTER_MS } from "../limits.ts";
import { Backoff } from "./backoff.ts";

describe("Backoff", () => {
  it("doubles with each death in a row, up to its maximum", () => {
    const backoff = new Backoff();
    const delays = Array.from({ length: 8 }, () => backoff.afterDeath(10));
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    expect(delays[0]).toBe(RESTART_DELAY_MS_MIN);
    expect(delays.at(-1)).toBe(RESTART_DELAY_MS_MAX);
  });

  it("begins again after a long life", () => {
    const backoff = new Backoff();
    for (let index = 0; index < 5; index++) backoff.afterDeath(10);
    expect(backoff.afterDeath(STABLE_AFTER_MS)).toBe(RESTART_DELAY_MS_MIN);
  });

  it("does not grow for one that served well each time, and grows for one that dies as soon as it is ready", () => {
    const [served, failing] = [new Backoff(), new Backoff()];
    const delays = (backoff: Backoff, readyMs: number) =>
      Array.from({ length: 4 }, () => backoff.afterDeath(SERVED_AFTER_MS + 500, readyMs));
    expect(delays(served, SERVED_AFTER_MS)).toEqual([250, 250, 250, 250]);
    expect(delays(failing, SERVED_AFTER_MS - 1)).toEqual([250, 500, 1000, 2000]);
  });
});

import { describe, expect, it } from "vitest";
import { RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN, STABLE_AFTER_MS } from "../limits.ts";
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
});

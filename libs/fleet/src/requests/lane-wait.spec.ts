import { describe, expect, it } from "vitest";
import { LaneWait } from "./lane-wait.ts";

describe("LaneWait", () => {
  it("an empty lane has no wait, whatever was placed before", () => {
    const lane = new LaneWait();
    for (let now = 0; now < 10_000; now += 100) lane.placed(5, now);
    expect(lane.forecast(0, 10_000).waitMs).toBe(0);
  });

  it("what waits is predicted at the pace at which the lane was placed", () => {
    const lane = new LaneWait();
    for (let now = 0; now <= 20_000; now += 200) lane.placed(5, now);
    const { waitMs, msPerJob } = lane.forecast(10, 20_000);
    expect(msPerJob).toBeCloseTo(200, 0);
    expect(waitMs).toBeCloseTo(2000, -1);
  });

  it("time in which nothing waited does not count", () => {
    const lane = new LaneWait();
    for (let now = 0; now <= 20_000; now += 200) lane.placed(5, now);
    lane.placed(0, 20_200);
    lane.placed(1, 900_000);
    expect(lane.forecast(1, 900_000).msPerJob).toBeCloseTo(200, 0);
  });

  it("a lane in which nothing moves is predicted ever slower, until it moves again", () => {
    const lane = new LaneWait();
    expect(lane.forecast(3, 0).waitMs).toBe(0);
    expect(lane.forecast(3, 4000)).toEqual({ waitMs: 4000, msPerJob: 0 });
    lane.placed(2, 5000);
    expect(lane.forecast(2, 5000)).toEqual({ waitMs: 1000, msPerJob: 500 });
    expect(lane.forecast(2, 6500)).toEqual({ waitMs: 2000, msPerJob: 500 });
  });
});

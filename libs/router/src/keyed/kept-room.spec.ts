import { SimClock } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { KEPT_ROOM_GRAIN_MS, KEYED_ANSWER_MS } from "../limits.ts";
import { KeptRoom } from "./kept-room.ts";

describe("the room for what is kept", () => {
  it("is had again once the time of what was left is over, and not before", async () => {
    const clock = new SimClock();
    const room = new KeptRoom(100, clock);
    expect(room.take(100)).toBe(true);
    room.leave(100);
    await clock.advance(KEYED_ANSWER_MS - 1);
    expect(room.take(1)).toBe(false);
    await clock.advance(1);
    expect(room.take(100)).toBe(true);
    room.give(100);
    expect(room.held).toEqual({ byteCount: 0, leftCount: 0 });
  });

  it("has a bounded number of counts, however many answers are left in it", async () => {
    const clock = new SimClock();
    const room = new KeptRoom(1e9, clock);
    const stepMs = KEPT_ROOM_GRAIN_MS / 20;
    for (let i = 0; i < 4000; i++) {
      room.take(1);
      room.leave(1);
      await clock.advance(stepMs);
    }
    expect(room.held.byteCount).toBe(4000);
    expect(room.held.leftCount).toBeLessThanOrEqual(4000 / 20 + 1);
    await clock.advance(KEYED_ANSWER_MS);
    room.take(0);
    expect(room.held).toEqual({ byteCount: 0, leftCount: 0 });
  });
});

import { expect, test } from "vitest";
import { HereOrAmong, type Way } from "./here-or-among.ts";
import { OTHER_WAY_RETRY_MS, PACE_SAMPLES_AT_ONCE } from "./limits.ts";

/** Each way is tried as often as at first, and has taken so long each time. */
function learn(ways: HereOrAmong, rowCount: number, times: Readonly<Record<Way, number>>, now: number): void {
  for (const way of ["here", "among"] as const)
    for (let call = 0; call < PACE_SAMPLES_AT_ONCE; call++) {
      expect(ways.choose(rowCount, now)).toBe(way);
      ways.note(way, rowCount, times[way], now);
    }
}

test("each way is tried, then the one that takes less is taken, and the other one now and then", () => {
  const ways = new HereOrAmong();
  learn(ways, 8, { here: 1, among: 5 }, 6);
  expect(ways.choose(8, 7)).toBe("here");
  expect(ways.choose(8, 5 + OTHER_WAY_RETRY_MS)).toBe("here");
  expect(ways.choose(8, 6 + OTHER_WAY_RETRY_MS)).toBe("among");
  ways.note("among", 8, 5, 6 + OTHER_WAY_RETRY_MS);
  expect(ways.choose(8, 7 + OTHER_WAY_RETRY_MS)).toBe("here");
});

test("one call that was held up changes nothing, and many do", () => {
  const ways = new HereOrAmong();
  learn(ways, 1, { here: 1, among: 2 }, 0);
  ways.note("here", 1, 100, 1);
  expect(ways.choose(1, 1)).toBe("here");
  for (let call = 0; call < 3; call++) ways.note("here", 1, 100, 1);
  expect(ways.choose(1, 1)).toBe("among");
});

test("a first call that a coarse clock cannot tell from none is no measure", () => {
  const ways = new HereOrAmong();
  learn(ways, 1, { here: 0, among: 2 }, 0);
  for (let call = 0; call < PACE_SAMPLES_AT_ONCE; call++) ways.note("here", 1, 9, 0);
  expect(ways.choose(1, 1)).toBe("among");
});

test("calls of another size are judged by themselves", () => {
  const ways = new HereOrAmong();
  learn(ways, 1, { here: 1, among: 5 }, 0);
  learn(ways, 400, { here: 50, among: 30 }, 0);
  expect(ways.choose(1, 1)).toBe("here");
  expect(ways.choose(300, 1)).toBe("among");
  expect(ways.choose(600, 1)).toBe("here");
});

test("where others have less to do than they had, their way is taken again once it was faster for a while", () => {
  const ways = new HereOrAmong();
  learn(ways, 100, { here: 10, among: 30 }, 0);
  let now = 0;
  let tries = 0;
  while (ways.choose(100, now) === "here" || tries < 1) {
    now += OTHER_WAY_RETRY_MS;
    const way = ways.choose(100, now);
    tries += way === "among" ? 1 : 0;
    ways.note(way, 100, way === "among" ? 5 : 10, now);
    ways.note("here", 100, 10, now);
    expect(tries).toBeLessThan(20);
  }
  expect(ways.choose(100, now + 1)).toBe("among");
});

import { expect, test } from "vitest";
import { HereOrAmong } from "./here-or-among.ts";
import { OTHER_WAY_RETRY_MS, PACE_SAMPLES_AT_ONCE } from "./limits.ts";

/** Others are asked often enough, and have taken so long each time. */
function askOthers(ways: HereOrAmong, rowCount: number, ms: number, now: number): void {
  for (let call = 0; call < PACE_SAMPLES_AT_ONCE; call++) {
    expect(ways.choose(rowCount, now)).toBe("among");
    ways.note("among", rowCount, ms, now);
  }
}

test("each way is tried, then the one that takes less is taken, and the other one now and then", () => {
  const ways = new HereOrAmong();
  expect(ways.choose(8, 0)).toBe("here");
  ways.note("here", 8, 1, 1);
  askOthers(ways, 8, 5, 6);
  expect(ways.choose(8, 7)).toBe("here");
  expect(ways.choose(8, 5 + OTHER_WAY_RETRY_MS)).toBe("here");
  expect(ways.choose(8, 6 + OTHER_WAY_RETRY_MS)).toBe("among");
  ways.note("among", 8, 5, 6 + OTHER_WAY_RETRY_MS);
  expect(ways.choose(8, 7 + OTHER_WAY_RETRY_MS)).toBe("here");
});

test("calls of another size are judged by themselves", () => {
  const ways = new HereOrAmong();
  ways.note("here", 1, 1, 0);
  askOthers(ways, 1, 5, 0);
  ways.note("here", 400, 50, 0);
  askOthers(ways, 400, 30, 0);
  expect(ways.choose(1, 1)).toBe("here");
  expect(ways.choose(300, 1)).toBe("among");
  expect(ways.choose(600, 1)).toBe("here");
});

test("where others have less to do than they had, their way is taken again once it was faster for a while", () => {
  const ways = new HereOrAmong();
  ways.note("here", 100, 10, 0);
  askOthers(ways, 100, 30, 0);
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

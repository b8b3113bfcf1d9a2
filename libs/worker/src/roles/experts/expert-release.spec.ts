import type { DrainState } from "@drover/fleet";
import { expect, test } from "vitest";
import { ExpertRelease } from "./expert-release.ts";

const state = (fields: Partial<DrainState>): DrainState => ({
  drained: false,
  expertsDrained: false,
  obstacle: undefined,
  expertCount: 0,
  requestCount: 0,
  ...fields,
});

test("experts are needed until the scheduler says that others have them", () => {
  const release = new ExpertRelease();
  expect(release.isNeeded(0, true)).toBe(true);
  release.note(state({}));
  expect(release.isNeeded(60_000, true)).toBe(true);
  release.note(state({ expertsDrained: true }));
  expect(release.isNeeded(60_000, true)).toBe(false);
  release.forget();
  expect(release.isNeeded(60_000, true)).toBe(true);
});

test.each([
  ["that fit nowhere else", state({ obstacle: "no memory" }), true],
  ["of a worker without a leader", state({}), false],
])("experts %s are needed while somebody is connected, and a moment longer", (_, said, hasLeader) => {
  const release = new ExpertRelease();
  release.note(said);
  expect(release.isNeeded(0, hasLeader)).toBe(false);
  release.streamOpened();
  release.streamOpened();
  release.streamClosed(1000);
  expect(release.isNeeded(60_000, hasLeader)).toBe(true);
  release.streamClosed(60_000);
  expect(release.isNeeded(61_000, hasLeader)).toBe(true);
  expect(release.isNeeded(63_000, hasLeader)).toBe(false);
});

import { expect, test } from "vitest";
import { type ReadinessFacts, unreadyReason } from "./readiness.ts";

const ready: ReadinessFacts = {
  leaderlessMs: 0,
  drainWanted: false,
  attention: { usable: true, calibrated: true },
  experts: { settled: true },
};

test("a worker is ready when it has joined, its experts are loaded, and its steps are measured", () => {
  expect(unreadyReason(ready)).toBeNull();
  expect(unreadyReason({ ...ready, attention: undefined, experts: undefined })).toBeNull();
});

test.each<[Partial<ReadinessFacts>, RegExp]>([
  [{ leaderlessMs: Number.POSITIVE_INFINITY }, /no scheduler has taken it/],
  [{ leaderlessMs: 10_001 }, /any more/],
  [{ drainWanted: true }, /asked to drain/],
  [{ experts: { settled: undefined } }, /no expert map/],
  [{ experts: { settled: false } }, /being loaded/],
  [{ attention: { usable: false, calibrated: true } }, /holder/],
  [{ attention: { usable: true, calibrated: false } }, /measured/],
])("%j is a reason of its own", (facts, reason) => {
  expect(unreadyReason({ ...ready, ...facts })).toMatch(reason);
});

test("a leader that is replaced makes no worker unready", () => {
  expect(unreadyReason({ ...ready, leaderlessMs: 9999 })).toBeNull();
});

import { expect, test } from "vitest";
import { askedSegments } from "./asked-segments.ts";

const held = new Map([
  [3, "d"],
  [0, "a"],
  [1, "b"],
]);
const ask = (segments: readonly number[], endSegment: number, segmentCount = segments.length) =>
  askedSegments(held, { sequenceId: "s", endSegment, segmentCount, segments, rowCount: 1 });

test("what a query names is found, whatever else is held, and nothing where one of it is not there", () => {
  expect(ask([0, 3], 4)).toEqual(["a", "d"]);
  expect(ask([0], 4)).toEqual(["a"]);
  expect(ask([0, 2], 4)).toBeUndefined();
  // After the rows that ask, twice, or not as many as are expected.
  expect(ask([0, 3], 3)).toBeUndefined();
  expect(ask([0, 0], 4)).toBeUndefined();
  expect(ask([0, 1], 4, 3)).toBeUndefined();
  expect(
    askedSegments(undefined, { sequenceId: "s", endSegment: 1, segmentCount: 1, segments: [0], rowCount: 1 }),
  ).toBeUndefined();
});

test("a query of an older build that names none is of all before its end, when they are as many as it expects", () => {
  expect(ask([], 2, 2)).toEqual(["a", "b"]);
  expect(ask([], 4, 3)).toEqual(["d", "a", "b"]);
  expect(ask([], 4, 2)).toBeUndefined();
  expect(ask([], 0, 0)).toBeUndefined();
});

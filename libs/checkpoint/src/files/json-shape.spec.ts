import fc from "fast-check";
import { expect, test } from "vitest";
import { JSON_CONTAINERS_MAX, JSON_DEPTH_MAX } from "../limits.ts";
import { jsonShapeFault } from "./json-shape.ts";

const faultOf = (text: string) => jsonShapeFault(Buffer.from(text));

test("depth and number of lists are refused only beyond their limits", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  expect(faultOf(nested(JSON_DEPTH_MAX))).toBeUndefined();
  expect(faultOf(nested(JSON_DEPTH_MAX + 1))).toMatch(/nested more than/);
  const flat = (count: number) => `[${"[],".repeat(count - 1)}0]`;
  expect(faultOf(flat(JSON_CONTAINERS_MAX))).toBeUndefined();
  expect(faultOf(flat(JSON_CONTAINERS_MAX + 1))).toMatch(/more than \d+ lists/);
});

test("brackets in strings do not count, whatever stands before them", () => {
  const brackets = "[".repeat(JSON_DEPTH_MAX + 1);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(faultOf(JSON.stringify({ [text + brackets]: [text, brackets] }))).toBeUndefined();
    }),
  );
});

import { expect, test } from "vitest";
import { at } from "./at.ts";
import { tupleOf } from "./tuple.ts";

test.each([-1, 2, Number.NaN])("an index outside of its list is a bug (%d)", (index) => {
  expect(() => at(["a", "b"], index)).toThrow("an index lies within its list");
});

test("an element that is there is given, also one that is undefined", () => {
  expect([at(["a", "b"], 1), at([undefined], 0)]).toEqual(["b", undefined]);
});

test("a list of another length than its reader names is a bug", () => {
  expect(() => tupleOf(["a"], 2)).toThrow("a list has the length that its reader names");
  const [first, second]: readonly [string, string] = tupleOf(["a", "b"], 2);
  expect(first + second).toBe("ab");
});

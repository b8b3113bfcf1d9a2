import { expect, test } from "vitest";
import { AssertionError, isFailedAssertion } from "./assert.ts";
import { DroverError, toDroverError } from "./errors.ts";

test("whatever was thrown becomes a fault with its cause, and a fault stays what it is", () => {
  const fault = new DroverError("overloaded", "too much");
  expect(toDroverError(fault)).toBe(fault);
  const cause = new TypeError("not a function");
  expect(toDroverError(cause)).toMatchObject({ code: "internal", message: "not a function", cause });
  expect(toDroverError("a text")).toMatchObject({ code: "internal", message: "a text" });
});

test("a failed assertion never becomes a fault, not even one of a thread, where it has lost its class", () => {
  const bug = new AssertionError("one is one");
  expect(() => toDroverError(bug)).toThrow(bug);
  const cloned = Object.assign(new Error("one is one"), { name: bug.name });
  expect(isFailedAssertion(cloned)).toBe(true);
  expect(() => toDroverError(cloned)).toThrow(cloned);
  expect(isFailedAssertion(new Error("AssertionError"))).toBe(false);
});

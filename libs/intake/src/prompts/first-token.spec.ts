import { expect, test } from "vitest";
import { withFirst } from "./first-token.ts";

test("the first token comes once, and only where there is one", () => {
  const ids = Uint32Array.of(7, 8);
  expect([...withFirst(ids, { first: 5 })]).toEqual([5, 7, 8]);
  expect([...withFirst(ids, { first: 7 })]).toEqual([7, 7, 8]);
  expect([...withFirst(ids, { first: 7, isMarked: true })]).toEqual([7, 8]);
  expect([...withFirst(ids, { first: 5, isMarked: true })]).toEqual([5, 7, 8]);
  expect([...withFirst(ids, { first: undefined })]).toEqual([7, 8]);
  expect([...withFirst(new Uint32Array(), { first: 5 })]).toEqual([5]);
});

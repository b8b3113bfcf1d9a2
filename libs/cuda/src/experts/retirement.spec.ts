import { expect, test } from "vitest";
import { Retirement } from "./retirement.ts";

test("what is retired is freed when all who began before it have ended, whoever began later", () => {
  const retirement = new Retirement();
  const freed: string[] = [];
  retirement.retire(() => freed.push("unused"));
  expect(freed).toEqual(["unused"]);
  const [first, second] = [retirement.begin(), retirement.begin()];
  retirement.retire(() => freed.push("a"));
  const later = retirement.begin();
  retirement.retire(() => freed.push("b"));
  const last = retirement.begin();
  second();
  expect(freed).toEqual(["unused"]);
  later();
  expect(freed).toEqual(["unused"]);
  first();
  expect(freed).toEqual(["unused", "a", "b"]);
  last();
});

import { requestId, workerId } from "@drover/core";
import { expect, it } from "vitest";
import { CLAIM_MS } from "../limits.ts";
import { Claims } from "./claims.ts";

const a = workerId("a");
const b = workerId("b");
const one = requestId("one");
const two = requestId("two");

it("a claimed worker is closed to the other lane, and to no other worker's requests", () => {
  const claims = new Claims();
  claims.claim("long", one, a, 0);
  expect(claims.isClaimed(a, "short", 10)).toBe(true);
  expect(claims.isClaimed(a, "long", 10)).toBe(false);
  expect(claims.isClaimed(b, "short", 10)).toBe(false);
  claims.release("long");
  expect(claims.isClaimed(a, "short", 10)).toBe(false);
});

it("of two claims on one worker the older one stands, and a request keeps its time when it moves", () => {
  const claims = new Claims();
  claims.claim("short", two, a, 5);
  claims.claim("long", one, b, 3);
  claims.claim("long", one, a, 9);
  expect(claims.isClaimed(a, "short", 10)).toBe(true);
  expect(claims.isClaimed(a, "long", 10)).toBe(false);
  claims.claim("long", two, a, 9);
  expect(claims.isClaimed(a, "long", 10)).toBe(true);
  expect(claims.isClaimed(a, "short", 10)).toBe(false);
});

it("a claim that does not help rests nine tenths of the time, and stands for longer each time", () => {
  const claims = new Claims();
  claims.claim("long", one, a, 0);
  const stands = [0, 0.9, 1, 9.9, 10, 11.9, 12, 29.9, 30, 33.9, 34].map((turns) =>
    claims.isClaimed(a, "short", turns * CLAIM_MS),
  );
  expect(stands).toEqual([true, true, false, false, true, true, false, false, true, true, false]);
});

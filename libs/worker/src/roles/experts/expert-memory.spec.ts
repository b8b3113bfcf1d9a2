import { expect, test } from "vitest";
import { expertCountMax } from "./expert-memory.ts";

test("memory holds as many experts as it has room for, and no limit is 0", () => {
  expect(expertCountMax(500, 100)).toBe(5);
  expect(expertCountMax(499, 100)).toBe(4);
  expect(expertCountMax(undefined, 100)).toBe(0);
  expect(expertCountMax(5, 0)).toBe(0);
});

test("memory for less than one expert is refused by its flag with the least that works, which then does", () => {
  expect(() => expertCountMax(99, 100)).toThrow(
    expect.objectContaining({
      code: "invalid_argument",
      field: "expert_memory",
      message: expect.stringMatching(/^--expert-memory: 99 bytes .*the least that works is 100,/),
    }),
  );
  expect(expertCountMax(100, 100)).toBe(1);
});

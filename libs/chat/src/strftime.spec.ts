import { expect, test } from "vitest";
import { strftime } from "./strftime.ts";

const at = (...parts: [number, number, number, number, number, number]) => new Date(...parts).getTime();

test("directives are Python's in the C locale, and unknown ones stay", () => {
  const time = at(2026, 4, 1, 15, 7, 9);
  expect(strftime(time, "%d %b %Y|%B %A %a|%H:%M:%S %I %p|%y %m %-d %-m %e %j|%%|%Q")).toBe(
    "01 May 2026|May Friday Fri|15:07:09 03 PM|26 05 1 5  1 121|%|%Q",
  );
});

test("midnight and noon are twelve o'clock, and a leap year has its last day", () => {
  expect(strftime(at(2024, 11, 31, 0, 0, 0), "%I %p %j")).toBe("12 AM 366");
  expect(strftime(at(2024, 0, 1, 12, 0, 0), "%I %p %j")).toBe("12 PM 001");
});

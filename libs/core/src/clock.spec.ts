import { expect, test } from "vitest";
import { systemClock } from "./clock.ts";

test("the monotonic scale is the machine's, not the process's: what is due by it is due in all processes together", () => {
  const machineMs = Number(process.hrtime.bigint()) / 1e6;
  expect(Math.abs(systemClock.monotonic() - machineMs)).toBeLessThan(10_000);
});

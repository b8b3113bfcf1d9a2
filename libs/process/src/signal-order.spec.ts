import { expect, test } from "vitest";
import { SIGNAL_ECHO_MS } from "./limits.ts";
import { SignalOrder } from "./signal-order.ts";

test("what follows the first signal at once is its echo, and what comes later is one more", () => {
  let nowMs = 1_000_000;
  const order = new SignalOrder({ monotonic: () => nowMs });
  const after = (ms: number) => {
    nowMs += ms;
    return order.next();
  };
  expect([after(0), after(0), after(SIGNAL_ECHO_MS - 1), after(1), after(0)]).toEqual([
    "first",
    "echo",
    "echo",
    "again",
    "again",
  ]);
});

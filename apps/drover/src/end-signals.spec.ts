import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { endSignals, Interrupted, interruptedStatus } from "./end-signals.ts";

const NAMES = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const before = new Map(NAMES.map((name) => [name, process.rawListeners(name)]));

beforeEach(() => {
  vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const name of NAMES)
    for (const listener of process.rawListeners(name))
      if (!before.get(name)?.includes(listener)) process.off(name, listener as () => void);
});

/** A clock that stands still but for what `pass` lets pass. */
function scene() {
  let nowMs = 0;
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { clock: { monotonic: () => nowMs }, pass };
}

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("the first %s ends a command with status %i, and one more at once", (name, status) => {
  const { clock, pass } = scene();
  const ended = endSignals({ clock });
  expect([ended.aborted, interruptedStatus(ended)]).toEqual([false, undefined]);
  process.emit(name);
  // npm and others pass on what the terminal has sent already.
  pass(5);
  process.emit(name);
  expect([ended.reason, interruptedStatus(ended)]).toEqual([expect.any(Interrupted), status]);
  expect(process.exit).not.toHaveBeenCalled();
  pass(1000);
  process.emit(name);
  expect(process.exit).toHaveBeenCalledExactlyOnceWith(status);
});

test("who has something to do at the second signal does that instead", () => {
  const { clock, pass } = scene();
  const again = vi.fn();
  endSignals({ clock, again });
  process.emit("SIGTERM");
  pass(1000);
  process.emit("SIGINT");
  expect(again).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ status: 130 }));
  expect(process.exit).not.toHaveBeenCalled();
});

test("a signal of another kind ends a command with its own reason, and no status of a signal", () => {
  const other = new AbortController();
  const ended = endSignals({ others: [other.signal, AbortSignal.any([])] });
  other.abort("gone");
  expect([ended.reason, interruptedStatus(ended)]).toEqual(["gone", undefined]);
});

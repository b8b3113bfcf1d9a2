import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import { QuitKey } from "./quit-key.ts";

class Terminal extends EventEmitter {
  readonly isTTY: boolean;
  readonly modes: boolean[] = [];

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  setRawMode(raw: boolean): void {
    this.modes.push(raw);
  }

  pause(): void {
    this.modes.push(false);
  }
}

it.each(["q", "Q", "\u0003", Buffer.from("q")])("%j ends it, and the terminal is as it was", (key) => {
  const terminal = new Terminal(true);
  {
    using quit = new QuitKey(terminal);
    terminal.emit("data", "x");
    expect(quit.pressed.aborted).toBe(false);
    terminal.emit("data", key);
    expect(quit.pressed.aborted).toBe(true);
  }
  expect(terminal.modes).toEqual([true, false, false]);
});

it("what is no terminal is not read", () => {
  const pipe = new Terminal(false);
  using quit = new QuitKey(pipe);
  expect([pipe.modes, pipe.listenerCount("data"), quit.pressed.aborted]).toEqual([[], 0, false]);
});

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { GUARD_RESTARTS_MAX } from "../limits.ts";

const SCRIPT = fileURLToPath(new URL("guard.sh", import.meta.url));

/**
 * A tiny process that outlives this one: should this one be killed, it ends every process that it watches and removes the
 * folder. It learns of the end by its standard input, which the kernel closes however this process ends.
 */
export class Guard {
  readonly #watched = new Set<number>();
  #folder: string | undefined;
  #closed = false;
  #restartCount = 0;
  #process: ChildProcess;

  constructor() {
    this.#process = this.#start();
  }

  watch(pid: number): void {
    this.#watched.add(pid);
    this.#say(`watch ${pid}`);
  }

  forget(pid: number): void {
    this.#watched.delete(pid);
    this.#say(`forget ${pid}`);
  }

  /** Removes the folder in the end, after all processes. */
  removeAtEnd(folder: string): void {
    this.#folder = folder;
    this.#say(`remove ${folder}`);
  }

  /** Lets the guard do its work now; resolves when it has. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.ref();
    this.#process.stdin?.end();
    await exit;
  }

  #start(): ChildProcess {
    const guard = spawn("sh", [SCRIPT], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    // Its death shows as an exit, after which another one takes its place.
    guard.stdin?.on("error", () => undefined);
    guard.on("error", () => undefined);
    guard.once("exit", () => {
      if (this.#closed || this.#restartCount++ >= GUARD_RESTARTS_MAX) return;
      this.#process = this.#start();
      for (const pid of this.#watched) this.#say(`watch ${pid}`);
      if (this.#folder !== undefined) this.#say(`remove ${this.#folder}`);
    });
    guard.unref();
    // The pipe to it must not keep this process alive either.
    if (guard.stdin !== null && "unref" in guard.stdin) (guard.stdin as Socket).unref();
    return guard;
  }

  #say(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Exit } from "../up/launch.ts";

const FAKE_UP = fileURLToPath(new URL("fake-up.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));
const SMALL = ["--expert-workers=2", "--http-port=0", "--grpc-port=0"];

export type Facts = Readonly<{ role: string; flags: Record<string, string>; env: Record<string, string> }>;

/** A running `drover up` with fakes; what is left of it at the end of the test is killed. */
export class UpProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly exit: Promise<Exit>;
  stdout = "";
  stderr = "";
  readonly #changed = new Set<() => void>();

  /** `wrapper` is a command that is given the whole command line and runs it as its child. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, wrapper: readonly string[] = []) {
    const node = [process.execPath, "--conditions=@drover/source", FAKE_UP, ...SMALL, ...args];
    const [command = "", ...rest] = [...wrapper, ...node];
    this.child = spawn(command, rest, {
      cwd: ROOT,
      env: { PATH: process.env.PATH, ...env },
      // By the channel it also ends when the test run itself is killed.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.child.stdout?.on("data", (text) => this.#grow("stdout", String(text)));
    this.child.stderr?.on("data", (text) => this.#grow("stderr", String(text)));
    this.exit = once(this.child, "close").then(([code, signal]) => ({ code, signal }));
  }

  /** Resolves with the match as soon as the output has it. Rejects when the process ends without. */
  async says(pattern: RegExp, stream: "stdout" | "stderr" = "stdout"): Promise<RegExpExecArray> {
    let ended = false;
    void this.exit.then(() => {
      ended = true;
      this.#wakeAll();
    });
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      if (ended) throw new Error(`it ended without saying ${pattern}:\n${this.stdout}\n${this.stderr}`);
      await new Promise<void>((resolve) => this.#changed.add(resolve));
    }
  }

  /** Pid and first address of each process, from the screen. */
  async processes(): Promise<Map<string, Readonly<{ pid: number; address: string }>>> {
    const [, page = ""] = await this.says(/ {2}process.*\n([\s\S]*?)\n\n/);
    const rows = page.split("\n").map((line) => line.trim().split(/\s+/));
    return new Map(rows.map(([name = "", pid, , address = ""]) => [name, { pid: Number(pid), address }]));
  }

  async facts(name: string): Promise<Facts> {
    const address = (await this.processes()).get(name)?.address;
    return (await (await fetch(`http://${address}/facts`)).json()) as Facts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGTERM");
    await this.exit;
  }

  #grow(stream: "stdout" | "stderr", text: string): void {
    this[stream] += text;
    this.#wakeAll();
  }

  #wakeAll(): void {
    const waiting = [...this.#changed];
    this.#changed.clear();
    for (const wake of waiting) wake();
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // No such process.
    return false;
  }
}

/** Resolves when none of them lives any more; the test's own limit ends a wait in vain. */
export async function allGone(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 20));
}

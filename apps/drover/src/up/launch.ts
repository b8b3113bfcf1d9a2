import { type ChildProcess, spawn } from "node:child_process";
import type { Announcement } from "@drover/process";
import { LineSplitter } from "../chat/line-splitter.ts";

export type Exit = Readonly<{ code: number | null; signal: NodeJS.Signals | null }>;

/** What a running child tells the one who watches it. */
export type Observer = Readonly<{ announce(message: Announcement): void; line(text: string): void }>;

/** One life of a child process. */
export type Launched = Readonly<{
  /** Undefined when it could not be started at all; `exit` tells. */
  pid: number | undefined;
  kill(signal: NodeJS.Signals): void;
  exit: Promise<Exit>;
}>;

/**
 * Starts a program with an IPC channel, in a process group of its own, so that Ctrl-C reaches only the one that started it and
 * the end of all is orderly. Both of its outputs are read as lines.
 */
export function launchProcess(
  command: string,
  args: readonly string[],
  options: Readonly<{ env: NodeJS.ProcessEnv; ipc: boolean }>,
  observer: Observer,
): Launched {
  const child = spawn(command, args, {
    detached: true,
    env: options.env,
    stdio: options.ipc ? ["ignore", "pipe", "pipe", "ipc"] : ["ignore", "pipe", "pipe"],
  });
  child.on("message", (message) => observer.announce(message as Announcement));
  for (const stream of [child.stdout, child.stderr]) {
    const splitter = new LineSplitter(observer.line);
    stream?.setEncoding("utf8").on("data", (text: string) => splitter.push(text));
    stream?.on("end", () => splitter.end());
  }
  return { pid: child.pid, kill: (signal) => void child.kill(signal), exit: exitOf(child, observer) };
}

function exitOf(child: ChildProcess, observer: Observer): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      observer.line(error.message);
      if (child.pid === undefined) resolve({ code: 1, signal: null });
    });
    // Not `close`: a grandchild may hold the outputs open for ever.
    child.once("exit", (code, signal) => setImmediate(() => resolve({ code, signal })));
  });
}

/** Drover's own node with one of its mains. */
export function launchMain(
  main: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  observer: Observer,
): Launched {
  return launchProcess(process.execPath, ["--conditions=@drover/source", main, ...args], { env, ipc: true }, observer);
}

import { readFileSync } from "node:fs";
import { DroverError } from "@drover/core";
import { LAUNCHER_POLL_MS } from "../limits.ts";

const SHELLS = ["sh", "dash", "bash", "ash", "busybox"];

/**
 * Aborts when the npm that started this process dies. Killed, it could not tell; but its children get another parent. Without npm
 * it never aborts: a shell may well end before what it started in the background.
 */
export function launcherGone(env: Readonly<Record<string, string | undefined>>): AbortSignal {
  const gone = new AbortController();
  if (env.npm_lifecycle_event === undefined) return gone.signal;
  const parent = process.ppid;
  // npm starts scripts by a shell, which may still stand between.
  const shell = processFacts(parent);
  const watchShell = shell !== undefined && SHELLS.includes(shell.name);
  const timer = setInterval(() => {
    const orphaned = process.ppid !== parent || (watchShell && processFacts(parent)?.parent !== shell.parent);
    if (!orphaned) return;
    clearInterval(timer);
    gone.abort(new DroverError("cancelled", "what started it is gone"));
  }, LAUNCHER_POLL_MS);
  timer.unref();
  return gone.signal;
}

/** A process's name and parent, where the system has /proc. */
function processFacts(pid: number): Readonly<{ name: string; parent: number }> | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const match = /^\d+ \((.*)\) \S+ (\d+)/s.exec(text);
    return match === null ? undefined : { name: match[1] ?? "", parent: Number(match[2]) };
  } catch {
    // No /proc here, or the process has ended.
    return undefined;
  }
}

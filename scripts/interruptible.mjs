// What a set-up runs, and how a signal ends it: first that, then the set-up, which gives back its lock. Plain JavaScript, as set-up is.
import { spawn } from "node:child_process";
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const OUTPUT_KEPT_CHARACTERS = 8_000;
/** What an interrupted command may take to end before it is killed. */
const END_MS_MAX = 2_000;

/** The first signal that came, and how to end what runs. */
let told;
let endRunning;

/** The end of a set-up by a signal; `status` is the exit status by which a shell tells of it. */
class Interrupted extends Error {
  constructor(signal) {
    super("the set-up was interrupted; the next start takes it up again");
    this.status = 128 + constants.signals[signal];
  }
}

/** Does `work`; a signal that comes meanwhile ends what it runs, and is thrown by its next `throwIfTold`. */
export async function hearing(work) {
  for (const signal of SIGNALS) process.on(signal, hear);
  try {
    await work();
  } finally {
    for (const signal of SIGNALS) process.off(signal, hear);
  }
}

function hear(signal) {
  // Ctrl-C may come twice, from the terminal and from who passes it on.
  if (told !== undefined) return;
  told = signal;
  endRunning?.();
}

/** Throws once a signal has come, also one that came while nothing could be heard. */
export async function throwIfTold() {
  await new Promise((resolve) => setImmediate(resolve));
  if (told !== undefined) throw new Interrupted(told);
}

/** Runs a command and keeps the end of what it says. It has a group of its own, because installers start others, which are to end with it. */
export function runCommand(command, args, { cwd, env }, onLine = () => undefined) {
  return new Promise((resolve) => {
    let output = "";
    let killing;
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const end = (result) => {
      clearTimeout(killing);
      endRunning = undefined;
      resolve({ ...result, output });
    };
    endRunning = () => {
      killGroup(child.pid, "SIGTERM");
      killing = setTimeout(() => killGroup(child.pid, "SIGKILL"), END_MS_MAX);
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output = (output + text).slice(-OUTPUT_KEPT_CHARACTERS);
        for (const line of text.split("\n")) onLine(line);
      });
    }
    child.on("error", (error) => end({ ok: false, reason: error.message }));
    child.on("close", (code, signal) => end({ ok: code === 0, reason: signal ?? `exit status ${code}` }));
  });
}

function killGroup(pid, signal) {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch (error) {
    // All of it has ended.
    if (error.code !== "ESRCH") throw error;
  }
}

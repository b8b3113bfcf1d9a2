import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

const MODULE = pathToFileURL(`${import.meta.dirname}/interruptible.mjs`).href;

/** A set-up whose command starts another one, as installers do, and says both of their ids. */
const SETUP = `
import { hearing, runCommand, throwIfTold } from ${JSON.stringify(MODULE)};
const say = (line) => line !== "" && process.stdout.write(line + "\\n");
try {
  await hearing(async () => {
    const command = "sh -c 'echo $$; exec sleep 600' & echo $$; wait";
    await runCommand("sh", ["-c", command], { cwd: "/", env: process.env }, say);
    await throwIfTold();
  });
} catch (error) {
  process.stderr.write(error.message);
  process.exit(error.status);
}`;

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    // There is none.
    return false;
  }
};

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)(
  "%s ends what a set-up runs, with all that this has started, and then the set-up",
  async (signal, status) => {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", SETUP], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = text(child.stderr);
    let output = "";
    child.stdout.on("data", (bytes) => {
      output += String(bytes);
    });
    const pids = () => output.split("\n").filter(Boolean).map(Number);
    await expect.poll(() => pids().length).toBe(2);
    child.kill(signal);
    expect(await once(child, "close")).toEqual([status, null]);
    expect(await said).toBe("the set-up was interrupted; the next start takes it up again");
    await expect.poll(() => pids().filter(isAlive)).toEqual([]);
  },
);

import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("./testing/one-session.ts", import.meta.url));

test("a process that computes, on its threads too, leaves no device's id and no events in the user's folders, however it is started", async () => {
  const home = await mkdtemp(join(tmpdir(), "drover-home-"));
  try {
    // Nothing of this process's environment: no switch, and no other folder for caches.
    const env = { PATH: process.env.PATH, HOME: home };
    const run = promisify(execFile)(process.execPath, ["--conditions=@drover/source", PROGRAM], { env });
    expect((await run).stdout).toBe("3 7\n3 7\n");
    expect(await readdir(home, { recursive: true })).toEqual([]);
  } finally {
    await rm(home, { recursive: true });
  }
});

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { WORKER_ROLES } from "@drover/core";
import { flagName, parseConfig } from "@drover/process";
import { expect, it } from "vitest";
import { DECIDED_FLAGS, HANDED_FLAGS, handedFlags } from "./handed-flags.ts";
import { upSpec } from "./up-config.ts";

const run = promisify(execFile);
const WHOSE = {
  router: HANDED_FLAGS.router,
  scheduler: HANDED_FLAGS.scheduler,
  worker: WORKER_ROLES.flatMap((role) => HANDED_FLAGS[role]),
} as const;
/** What every command has, whatever it does. */
const OF_COMMANDS = ["config", "help", "version"];

it.each(["router", "scheduler", "worker"] as const)(
  "up hands on, or decides itself, every flag of a %s",
  async (main) => {
    const path = fileURLToPath(new URL(`../../../${main}/src/main.ts`, import.meta.url));
    const { stdout } = await run(process.execPath, ["--conditions=@drover/source", path, "--help"]);
    const flags = [...stdout.matchAll(/^ {2}--([a-z0-9-]+)/gm)].map(([, flag]) => flag);
    const known = new Set([...WHOSE[main], ...DECIDED_FLAGS[main]].map(flagName));
    expect(known, "in HANDED_FLAGS or DECIDED_FLAGS").toEqual(
      new Set(flags.filter((flag) => !OF_COMMANDS.includes(flag ?? ""))),
    );
  },
);

it("hands on what was said, by its own name, to whoever it is for, and leaves the rest to the process", () => {
  const argv = ["--threads=3", "--model-alias=a", "--model-alias=b", "--no-image-urls", "--detach-grace=2s"];
  const config = parseConfig(upSpec, { argv, env: {} });
  const router = handedFlags(["router"], config);
  expect(router).toMatchObject({ "model-alias": "a,b", "image-urls": "false", "log-level": "info" });
  expect(router).not.toHaveProperty("threads");
  expect(router["max-requests"]).toBeUndefined();
  expect(handedFlags(["attention", "vision"], config)).toMatchObject({ threads: "3", "detach-grace": "2000" });
  expect(handedFlags(["experts"], config)).not.toHaveProperty("detach-grace");
});

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
type ConfigSpec = Parameters<typeof parseConfig>[0];

/** The flags of a process as its own file has them; an app imports no other one. */
async function flagsOf(main: keyof typeof WHOSE): Promise<ConfigSpec> {
  const made: Record<string, ConfigSpec> = await import(
    fileURLToPath(new URL(`../../../${main}/src/config.ts`, import.meta.url))
  );
  return made[`${main}Flags`] as ConfigSpec;
}

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

it.each(["router", "scheduler", "worker"] as const)(
  "what up takes of a flag is taken by a %s that it hands it to",
  async (main) => {
    const flags = await flagsOf(main);
    for (const key of WHOSE[main]) {
      const own = { [key]: flags[key] } as ConfigSpec;
      for (const value of [...TRIED, ...choicesOf(upSpec[key])])
        if (problemsOf(upSpec, key, value) === undefined)
          expect(problemsOf(own, key, value), `${main} --${key} ${value}`).toBeUndefined();
    }
  },
);

/** Values of all kinds of flags, at the ends of what some take. */
const TRIED = [
  "0",
  "1",
  "2",
  "99",
  "100",
  "999",
  "251",
  "1024",
  "1025",
  "65536",
  "65537",
  "2000000000",
  "99999999999",
  "0.5",
  "127.0.0.1",
  "::1",
  "http://a",
  "*",
  "~ ~",
  "cpu",
  "auto",
];

const choicesOf = (flag: ConfigSpec[string]): readonly string[] =>
  "choices" in flag && flag.choices !== undefined ? flag.choices : [];

function problemsOf(spec: ConfigSpec, key: string, value: string): string | undefined {
  try {
    parseConfig(spec, { argv: [`--${flagName(key)}=${value}`], env: {} });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

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

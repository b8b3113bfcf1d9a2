// From a clone to an answer on a machine that has only Node and npm: clones this repository's HEAD into a temporary folder, with an empty cache of
// npm and an empty store of pnpm, asks by `npm start`, and counts what lies in the folder then, as bytes and as blocks of the disk, without `.git`.
// Envelope: 160 MB over the network (Node 45, the runtime 80, pnpm 5, all else 30), 8 s of unpacking, 5 s of npm and pnpm, 6 s until the cluster is
// ready. With --whole also that `npm test` finds what it needs afterwards: one spec and the types. Ends with 1 above 60 s or 350 MB.
// Usage: node scripts/run.mjs bench/clean-clone.ts [--whole]
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../tests/e2e/test-cluster.ts";

const SECONDS_MAX = 60;
const MEGABYTES_MAX = 350;

const { values } = parseArgs({ options: { whole: { type: "boolean", default: false } } });
const folder = mkdtempSync(join(tmpdir(), "drover-clone-"));
const clone = join(folder, "drover");

/** This repository's own Node and packages, and what npm and run.mjs have set for this process, are not the clone's to use. */
const ownPaths = (process.env.PATH ?? "").split(":").filter((path) => !path.startsWith(ROOT));
const inherited = Object.entries(process.env).filter(
  ([name]) => !/^(?:npm_(?!config_registry)|NODE_|ORT_|NX_|ONNX)/i.test(name),
);
const env = {
  ...Object.fromEntries(inherited),
  PATH: ownPaths.join(":"),
  npm_config_cache: join(folder, "npm"),
  npm_config_store_dir: join(folder, "store"),
};

const call = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: clone, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
const megabytes = (...args: string[]): number =>
  Number(call("du", "-sm", "--exclude=.git", ...args, ".").split("\t")[0]);

try {
  console.log(
    `${cpus().length} cores, load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(" ")}`,
  );
  const began = performance.now();
  execFileSync("git", ["clone", "--quiet", ROOT, clone], { stdio: ["ignore", "pipe", "inherit"] });
  const answer = call("npm", "start", "--silent", "--", "--prompt", "What is the capital of France?");
  const seconds = (performance.now() - began) / 1_000;
  const [blocks, bytes] = [megabytes(), megabytes("--apparent-size")];
  console.log(`clone to answer: ${seconds.toFixed(1)} s (limit ${SECONDS_MAX}); it said: ${answer.trim()}`);
  console.log(`without .git: ${blocks} MB of disk blocks, ${bytes} MB of bytes (limit ${MEGABYTES_MAX})`);
  if (values.whole) {
    console.log(call("npm", "test", "--silent", "--", "libs/kv").trimEnd().split("\n").at(-1));
    console.log(call("npm", "run", "--silent", "check", "--", "types").trimEnd().split("\n").at(-1));
  }
  const isRight = answer.includes("Paris") && seconds <= SECONDS_MAX && Math.max(blocks, bytes) <= MEGABYTES_MAX;
  if (!isRight) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

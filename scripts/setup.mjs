// Installs what Drover needs, for a machine that has only Node >= 20 and npm: Node 24 and pnpm 10 into .toolchain, then the packages; with the
// argument `run` those alone that running needs, and not what tests and gates do. Plain JavaScript, because the machine's own Node runs it.
// Quiet when nothing is to be done; otherwise says on standard error what it does.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { hearing, runCommand, throwIfTold } from "./interruptible.mjs";
import { forgetLean, makeLean } from "./lean-packages.mjs";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const TOOLCHAIN = { node: "24", pnpm: "10" };
const NODE_MAJOR_MIN = 20;
const LOCK_BEAT_MS = 2_000;
const LOCK_STALE_MS = 20_000;
const LOCK_POLL_MS = 250;
const INSTALL_RETRIES = 1;
const PROGRESS_MS = 5_000;

const toolchain = join(root, ".toolchain");
const toolchainBin = join(toolchain, "node_modules", ".bin");
const stampFile = join(toolchain, "installed");
const lockFile = join(root, ".toolchain.lock");

/** The Node that runs Drover. */
export const nodeBinary = join(toolchainBin, "node");

/** The environment for Drover's tools: its own Node and the packages' binaries come first. */
export function toolEnvironment() {
  const path = [toolchainBin, join(root, "node_modules", ".bin"), process.env.PATH ?? ""].join(":");
  // `npm --silent` tells npm's children to be silent too, and then a failing install would not say why.
  const { npm_config_loglevel: _, ...inherited } = process.env;
  return { ...inherited, PATH: path, ONNXRUNTIME_NODE_INSTALL: "skip", ORT_DISABLE_TELEMETRY: "1", NX_DAEMON: "false" };
}

/** What is installed: all of it, or what running takes. All serves for running too. */
const SCOPES = { all: "all", run: "run" };

/** Installs what is missing or out of date. Throws an Error whose message says why it could not. */
export async function ensureSetup(scope = SCOPES.all) {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < NODE_MAJOR_MIN) throw new Error(`Node ${NODE_MAJOR_MIN} or newer is needed; this is ${process.version}.`);
  if (isInstalled(wantedState(), scope)) return;
  await hearing(() => install(scope));
}

async function install(scope) {
  await withLock(async () => {
    // Another set-up may have done it while this one waited.
    const state = wantedState();
    if (isInstalled(state, scope)) return;
    const begin = Date.now();
    say(
      `setting up ${scope === SCOPES.run ? "what running needs" : "all packages"}: the first start, or the dependencies have changed`,
    );
    mkdirSync(toolchain, { recursive: true });
    // An interrupted set-up has installed nothing that counts.
    rmSync(stampFile, { force: true });
    if (!(await toolchainWorks())) await installToolchain();
    if (scope === SCOPES.all) forgetLean(root);
    await installPackages(scope);
    if (scope === SCOPES.run) makeLean(root);
    await throwIfTold();
    writeFileSync(stampFile, `${state} ${scope}`);
    say(`set up in ${Math.round((Date.now() - begin) / 1000)} s`);
  });
}

/** Why there is no set-up, for the person at the terminal. */
export const failureText = (error) => (error.status === undefined ? `set-up failed. ${error.message}` : error.message);

/** A digest of everything that decides what is installed. */
function wantedState() {
  const hash = createHash("sha256").update(JSON.stringify([TOOLCHAIN, process.platform, process.arch]));
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc", ...packageFiles()]) {
    const path = join(root, file);
    hash.update(`\0${file}\0`).update(existsSync(path) ? readFileSync(path) : "");
  }
  return hash.digest("hex");
}

function packageFiles() {
  const groups = ["apps", "libs"].flatMap((group) =>
    existsSync(join(root, group)) ? readdirSync(join(root, group)).map((name) => join(group, name)) : [],
  );
  return ["", ...groups, "bench", "tests"].map((folder) => join(folder, "package.json")).sort();
}

function isInstalled(state, scope) {
  if (!existsSync(nodeBinary) || !existsSync(join(root, "node_modules", ".modules.yaml"))) return false;
  if (!existsSync(stampFile)) return false;
  // A stamp of one word is of a set-up that knew no scopes: all.
  const [installed, installedScope = SCOPES.all] = readFileSync(stampFile, "utf8").split(" ");
  return installed === state && (installedScope === scope || installedScope === SCOPES.all);
}

async function toolchainWorks() {
  if (!existsSync(nodeBinary) || !existsSync(join(toolchainBin, "pnpm"))) return false;
  const node = await run(nodeBinary, ["--version"]);
  const pnpm = node.ok ? await run(nodeBinary, [join(toolchain, "node_modules/pnpm/bin/pnpm.cjs"), "--version"]) : node;
  return pnpm.ok && node.output.startsWith(`v${TOOLCHAIN.node}.`) && pnpm.output.startsWith(`${TOOLCHAIN.pnpm}.`);
}

async function installToolchain() {
  say(`[1/2] Node ${TOOLCHAIN.node} and pnpm ${TOOLCHAIN.pnpm} into .toolchain, by npm`);
  rmSync(join(toolchain, "node_modules"), { recursive: true, force: true });
  const packages = Object.entries(TOOLCHAIN).map(([name, version]) => `${name}@${version}`);
  const npm = [
    "install",
    "--prefix",
    toolchain,
    "--no-save",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts=false",
    ...packages,
  ];
  await mustRun("npm could not install Node and pnpm", () => run("npm", npm));
  if (!(await toolchainWorks())) {
    throw new Error(
      `npm has installed Node ${TOOLCHAIN.node} and pnpm ${TOOLCHAIN.pnpm} into .toolchain, but they do not start here.`,
    );
  }
}

async function installPackages(scope) {
  say("[2/2] packages, by pnpm");
  const pnpm = [join(toolchain, "node_modules/pnpm/bin/pnpm.cjs"), "install", "--frozen-lockfile"];
  const parts = scope === SCOPES.run ? ["--prod", "--filter", "{./apps/*}...", "--filter", "drover..."] : [];
  const options = ["--config.confirmModulesPurge=false", "--reporter=append-only"];
  const progress = progressLine();
  try {
    await mustRun("pnpm could not install the packages", () =>
      run(nodeBinary, [...pnpm, ...parts, ...options], progress.read),
    );
  } finally {
    progress.end();
  }
}

/** One line that grows with time: rewritten at a terminal, and written now and then elsewhere. */
function progressLine() {
  const begin = Date.now();
  let shownMs = 0;
  const read = (line) => {
    const [, resolved, added] = /^Progress: resolved (\d+).*added (\d+)/.exec(line) ?? [];
    if (resolved === undefined) return;
    const nowMs = Date.now();
    const text = `drover:       ${added} of ${resolved} packages, ${Math.round((nowMs - begin) / 1000)} s`;
    if (process.stderr.isTTY) process.stderr.write(`\r${text}`);
    else if (nowMs - shownMs >= PROGRESS_MS) process.stderr.write(`${text}\n`);
    else return;
    shownMs = nowMs;
  };
  return { read, end: () => process.stderr.isTTY && shownMs > 0 && process.stderr.write("\n") };
}

const run = (command, args, onLine) => runCommand(command, args, { cwd: root, env: toolEnvironment() }, onLine);

/** Networks fail now and then: one more try, then the reason. */
async function mustRun(failure, attempt) {
  for (let left = INSTALL_RETRIES; ; left--) {
    await throwIfTold();
    const result = await attempt();
    await throwIfTold();
    if (result.ok) return;
    if (left === 0) throw new Error(`${failure} (${result.reason}). It said:\n${result.output.trim()}`);
    say("      that failed; trying once more");
  }
}

/** One set-up at a time. The holder touches the file; a file that nobody has touched for a while is of a dead one. */
async function withLock(work) {
  for (let waiting = false; !takeLock(); waiting = true) {
    if (!waiting) say("waiting for another set-up of this folder");
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
    await throwIfTold();
  }
  const beat = setInterval(() => {
    if (existsSync(lockFile)) utimesSync(lockFile, new Date(), new Date());
  }, LOCK_BEAT_MS);
  try {
    await work();
  } finally {
    clearInterval(beat);
    rmSync(lockFile, { force: true });
  }
}

function takeLock() {
  try {
    writeFileSync(lockFile, `${process.pid}\n`, { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  const age = Date.now() - (statSync(lockFile, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (age < LOCK_STALE_MS) return false;
  // Moved away rather than removed: of several waiters, one moves it and the others find nothing.
  const moved = `${lockFile}.${process.pid}`;
  try {
    renameSync(lockFile, moved);
    rmSync(moved, { force: true });
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  return false;
}

function say(text) {
  process.stderr.write(`drover: ${text}\n`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await ensureSetup(process.argv[2] === SCOPES.run ? SCOPES.run : SCOPES.all);
  } catch (error) {
    say(failureText(error));
    process.exitCode = error.status ?? 1;
  }
}

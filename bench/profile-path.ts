import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { streamCompletion } from "./serving/completion-stream.ts";
import { median, quantile } from "./serving/figures.ts";
import { type CpuProfile, spentIn } from "./serving/profile-table.ts";
import { cpuOf, nameOf, startCluster } from "./serving/served-cluster.ts";

/**
 * Where every microsecond of a token goes: a whole cluster under load, each of its processes profiled on its main thread, folded into a table
 * by process, library and function, in microseconds a token. Beside it the CPU that each process took, with all of its threads, while it served
 * and while nobody asked.
 */
const { values } = parseArgs({
  options: {
    checkout: { type: "string", default: join(import.meta.dirname, "..") },
    streams: { type: "string", default: "32" },
    tokens: { type: "string", default: "192" },
    rounds: { type: "string", default: "2" },
    "expert-workers": { type: "string", default: "4" },
    flags: { type: "string", default: "" },
    functions: { type: "string", default: "12" },
    "idle-seconds": { type: "string", default: "10" },
    "no-profile": { type: "boolean", default: false },
  },
});
const WARM_UP_STREAMS = 8;
const PROFILE_MS = 1500;

const folder = mkdtempSync(join(tmpdir(), "drover-profiles-"));
const recorder = pathToFileURL(join(import.meta.dirname, "serving/profile-recorder.ts")).href;
const cluster = await startCluster(values.checkout, {
  expertWorkers: values["expert-workers"],
  flags: values.flags,
  env: values["no-profile"] ? {} : { PROFILE_FOLDER: folder, NODE_OPTIONS: `--import=${recorder}` },
});
try {
  await measure();
} finally {
  await cluster.end();
  rmSync(folder, { recursive: true });
}

async function measure(): Promise<void> {
  const streams = Number(values.streams);
  const tokens = Number(values.tokens);
  await load(WARM_UP_STREAMS, 64);
  await load(streams, 64);
  const pids = cluster.pids().filter((pid) => nameOf(pid) !== undefined);
  const signal = () => {
    if (!values["no-profile"]) for (const pid of pids.slice(1)) process.kill(pid, "SIGUSR2");
  };
  signal();
  const before = pids.map((pid) => cpuOf(pid));
  const mainBefore = pids.map((pid) => cpuOf(pid, "main"));
  const beganMs = performance.now();
  const found = [];
  for (let round = 0; round < Number(values.rounds); round++) found.push(...(await load(streams, tokens)));
  const seconds = (performance.now() - beganMs) / 1000;
  const after = pids.map((pid) => cpuOf(pid));
  const mainUs = pids.map((pid, at) => cpuOf(pid, "main") - (mainBefore[at] ?? Number.NaN));
  signal();
  const generated = found.length * tokens;
  const gaps = found.flatMap(({ gapsMs }) => gapsMs);
  console.log(
    `${streams} streams, ${(generated / seconds).toFixed(0)} tokens/s, load of the machine ${loadavg()[0]?.toFixed(1)}; first token ${median(found.map(({ firstMs }) => firstMs)).toFixed(0)} ms; between chunks ${[0.5, 0.9, 0.99, 0.999].map((share) => `p${share * 100} ${quantile(gaps, share).toFixed(1)}`).join(", ")} ms`,
  );
  await sleep(PROFILE_MS);
  const idleBefore = pids.map((pid) => cpuOf(pid));
  await sleep(Number(values["idle-seconds"]) * 1000);
  const idle = pids.map(
    (pid, at) => (cpuOf(pid) - (idleBefore[at] ?? Number.NaN)) / Number(values["idle-seconds"]) / 1e4,
  );
  console.log("\n| process | CPU us a token | % of a core while nobody asks |\n|---|---|---|");
  for (const [at, pid] of pids.entries())
    console.log(
      `| ${nameOf(pid)} | ${(((after[at] ?? Number.NaN) - (before[at] ?? Number.NaN)) / generated).toFixed(0)} | ${idle[at]?.toFixed(2)} |`,
    );
  const share = (us: readonly number[]) => us.reduce((sum, one) => sum + one, 0);
  console.log(`| all | ${((share(after) - share(before)) / generated).toFixed(0)} | ${share(idle).toFixed(2)} |`);
  if (values["no-profile"]) return;
  for (const [at, pid] of pids.entries()) if (at > 0) tell(pid, (mainUs[at] ?? Number.NaN) / generated);
}

/** So many streams at once, each to its end. */
async function load(streams: number, tokens: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: streams });
  try {
    return await Promise.all(Array.from({ length: streams }, () => streamCompletion(cluster.url, { tokens, agent })));
  } finally {
    agent.destroy();
  }
}

/** Samples of a profile are of time, and others may have had the cores meanwhile: they say how the main thread's CPU is shared out. */
function tell(pid: number, usAToken: number): void {
  const profile = JSON.parse(readFileSync(join(folder, `${pid}.cpuprofile`), "utf8")) as CpuProfile;
  const spent = spentIn(profile);
  const whole = spent.reduce((sum, { us }) => sum + us, 0);
  const inUs = (us: number) => ((us / whole) * usAToken).toFixed(1);
  const byLibrary = Map.groupBy(spent, ({ library }) => library);
  const libraries = [...byLibrary].map(([name, of]) => [name, of.reduce((sum, { us }) => sum + us, 0)] as const);
  const pauses = JSON.parse(readFileSync(join(folder, `${pid}.gc`), "utf8")) as number[];
  const pausedMs = pauses.reduce((sum, ms) => sum + ms, 0);
  console.log(
    `\n${nameOf(pid)}: ${usAToken.toFixed(1)} us a token on its main thread; ${pauses.length} pauses for garbage, ${pausedMs.toFixed(0)} ms in all, ${Math.max(0, ...pauses).toFixed(1)} ms the longest`,
  );
  console.log(
    libraries
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, 16)
      .map(([name, us]) => `${name} ${inUs(us)}`)
      .join(", "),
  );
  console.log("| us a token | library | function |\n|---|---|---|");
  for (const { library, us, function: name } of spent.slice(0, Number(values.functions)))
    console.log(`| ${inUs(us)} | ${library} | ${name} |`);
}

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { convertedFiles, loadModelConfig, openCheckpoint, quantizationOf } from "@drover/checkpoint";
import { writeBigCheckpoint } from "./big-checkpoint.ts";

/**
 * Converts a made checkpoint with Maverick's widths: the peak of its memory, whether kills at random moments change a byte of the result, and what loading
 * maps and holds. Needs three times its size on the disk of the temporary folder. Ends with 1 when a byte differs, a predicted size is wrong, or the
 * peak is above 1.5 GiB.
 * Back of the envelope: quantizing is some hundred million weights a second, packing 1 GB/s, so 4.6 billion weights take a minute or two; beside them in
 * memory are one expert's fused matrix (160 MiB), 16 MiB of rows, and a matrix mapped, packed and saved (at most three times 96 MiB).
 */
const { values } = parseArgs({
  options: {
    experts: { type: "string", default: "16" },
    quantize: { type: "string", default: "int4" },
    seed: { type: "string", default: "1" },
  },
});
const PEAK_BYTES_MAX = 1.5 * 2 ** 30;
const POLL_MS = 20;
const MAIN = join(import.meta.dirname, "../apps/drover/src/main.ts");
const LOADER = join(import.meta.dirname, "convert-load.ts");

const folder = await mkdtemp(join(tmpdir(), "drover-convert-"));
let failed = false;
const check = (ok: boolean, what: string) => {
  console.log(`${ok ? "ok" : "WRONG"}: ${what}`);
  failed ||= !ok;
};
let state = Number(values.seed) >>> 0;
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};

/** As `bin/drover` sets them: see there. */
const ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: "16777216", MALLOC_TRIM_THRESHOLD_: "33554432" };
const node = (script: string, args: readonly string[]) =>
  spawn(process.execPath, ["--conditions=@drover/source", script, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...ENVIRONMENT },
  });
const exited = (child: ChildProcess) => new Promise<number | null>((done) => child.once("exit", (code) => done(code)));

/** Runs a conversion to its end, or kills it after so long. */
async function convert(source: string, out: string, killAfterMs = Number.POSITIVE_INFINITY) {
  const began = performance.now();
  const child = node(MAIN, ["convert", source, "--quantize", values.quantize, "--out", out]);
  child.stdout.resume();
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-1000)));
  const end = exited(child);
  let peakBytes = 0;
  let cpuSeconds = 0;
  const poll = setInterval(async () => {
    const stat = await readFile(`/proc/${child.pid}/stat`, "utf8").catch(() => "");
    // Behind the name: user and system time in hundredths of a second.
    const [user = 0, system = 0] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13)
      .map(Number);
    cpuSeconds = Math.max(cpuSeconds, (user + system) / 100);
    const text = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    peakBytes = Math.max(peakBytes, 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(text)?.[1] ?? 0));
    if (performance.now() - began > killAfterMs) child.kill("SIGKILL");
  }, POLL_MS);
  const code = await end;
  clearInterval(poll);
  if (code !== 0 && code !== null) console.log(said);
  return { code, peakBytes, cpuSeconds, seconds: (performance.now() - began) / 1000 };
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest("hex");
}

async function hashesOf(root: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const name of (await readdir(root, { recursive: true })).sort()) {
    const path = join(root, name);
    if ((await stat(path)).isFile()) hashes.set(name, await hashOf(path));
  }
  return hashes;
}

async function load(...args: string[]) {
  const child = node(LOADER, args);
  child.stderr.pipe(process.stderr);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more));
  await exited(child);
  return JSON.parse(text) as { expertCount: number; seconds: number; anonymousMiB: number; mappedMiB: number };
}

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
try {
  const [source, whole, killed] = ["source", "whole", "killed"].map((name) => join(folder, name));
  if (source === undefined || whole === undefined || killed === undefined) throw new Error("three folders");
  const sourceBytes = await writeBigCheckpoint(source, Number(values.experts));
  console.log(
    `${gib(sourceBytes)} of bf16, ${values.experts} experts; ${cpus().length} x ${cpus()[0]?.model}; Node ${process.version}`,
  );

  const first = await convert(source, whole);
  const perSecond = (sourceBytes / 1e6 / first.cpuSeconds).toFixed(0);
  const speed = `${first.seconds.toFixed(0)} s, ${first.cpuSeconds.toFixed(0)} s of one core: ${perSecond} MB of the source a second of it`;
  check(first.code === 0, `converted to ${values.quantize} in ${speed}`);
  check(first.peakBytes > 0 && first.peakBytes <= PEAK_BYTES_MAX, `peak memory ${gib(first.peakBytes)} (VmHWM)`);

  const config = await loadModelConfig(source);
  const quantization = quantizationOf(values.quantize, "128");
  if (quantization === null) throw new Error("--quantize is int4 or int8");
  await using checkpoint = await openCheckpoint(source);
  const files = convertedFiles(config, checkpoint.tensors(), quantization);
  const sum = (pick: (file: (typeof files)[number]) => number) => files.reduce((total, file) => total + pick(file), 0);
  const sizes = await Promise.all(files.map(async ({ file }) => (await stat(join(whole, file))).size));
  check(
    sizes.every((size, i) => size === files[i]?.byteCount),
    `${files.length} files of weights have their predicted sizes: ${gib(sum((f) => f.byteCount))}, of it ${gib(sum((f) => f.weightBytes))} weights and ${gib(sum((f) => f.preparedBytes))} packed`,
  );

  const runs: Awaited<ReturnType<typeof convert>>[] = [];
  do {
    runs.push(await convert(source, killed, 1000 + random() * first.seconds * 600));
  } while (runs.at(-1)?.code !== 0 && runs.length < 200);
  const expected = await hashesOf(whole);
  const found = await hashesOf(killed);
  const differing = [...expected].filter(([name, hash]) => found.get(name) !== hash).map(([name]) => name);
  check(
    differing.length === 0 && found.size === expected.size,
    `killed ${runs.length - 1} times, ${runs.map(({ seconds }) => seconds.toFixed(0)).join(" + ")} s, then ${expected.size} files with the same hashes${differing.map((name) => ` (${name} differs)`).join("")}`,
  );
  check(Math.max(...runs.map(({ peakBytes }) => peakBytes)) <= PEAK_BYTES_MAX, "peak memory of these runs");

  const mapped = await load(whole);
  const held = await load(source, values.quantize);
  for (const [name, result] of [
    ["converted", mapped],
    ["quantized while read", held],
  ] as const) {
    console.log(
      `${name}: ${result.expertCount} experts loaded in ${result.seconds.toFixed(1)} s, ${result.anonymousMiB.toFixed(0)} MiB anonymous, ${result.mappedMiB.toFixed(0)} MiB mapped from files`,
    );
  }
  check(mapped.anonymousMiB < held.anonymousMiB / 4, "what was converted is mapped");
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

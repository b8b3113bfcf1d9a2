import { execFile } from "node:child_process";
import { loadavg } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import {
  droverEngine,
  type EngineSpeeds,
  FORMATS,
  type Format,
  llamaEngine,
  MEASURES,
} from "./serving/engine-speeds.ts";
import { median } from "./serving/figures.ts";
import { startCluster } from "./serving/served-cluster.ts";

/**
 * Drover beside what users would pick instead, in turns: `npm run bench:serve -- --against llama-server=URL,llama.cpp=DIR`. The engine alone, on one thread,
 * beside llama.cpp's own benchmarks (DIR has `build/bin` and `MODEL-f32.gguf`, `MODEL-q4_0.gguf`), and served streams beside any server of OpenAI's API that
 * is up: one process (experts in the attention worker), two of those beside each other, and a cluster of four expert workers, by `drover bench serve --against`. Medians of `--rounds`.
 */
const { values } = parseArgs({
  options: {
    against: { type: "string", default: "" },
    model: { type: "string", default: join(import.meta.dirname, "../models/nano") },
    rounds: { type: "string", default: "5" },
    streams: { type: "string", default: "1,8,32" },
    requests: { type: "string", default: "64" },
    "input-tokens": { type: "string", default: "100" },
    "output-tokens": { type: "string", default: "64" },
    only: { type: "string", default: "engine,served" },
    flags: { type: "string", default: "" },
  },
});

const root = join(import.meta.dirname, "..");
const run = promisify(execFile);
const modelName = basename(resolve(values.model));
const sides = values.against.split(",").flatMap((entry) => {
  const at = entry.indexOf("=");
  return at < 1 ? [] : [{ name: entry.slice(0, at), at: entry.slice(at + 1) }];
});
const folders = sides.filter((side) => !/^https?:/.test(side.at));
const servers = sides.filter((side) => /^https?:/.test(side.at));

console.log(
  `${modelName}; load of the machine ${loadavg()[0]?.toFixed(1)}; medians of ${values.rounds} rounds, sides in turns`,
);
if (values.only.includes("engine")) await engines();
if (values.only.includes("served")) await served();

async function engines(): Promise<void> {
  const found = new Map<string, EngineSpeeds[]>();
  const add = (name: string, speeds: EngineSpeeds | undefined) => {
    if (speeds !== undefined) found.set(name, [...(found.get(name) ?? []), speeds]);
  };
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const format of Object.keys(FORMATS) as Format[]) {
      add(`Drover ${format}`, await droverEngine(root, values.model, format));
      for (const { name, at } of folders) add(`${name} ${format}`, await llamaEngine(at, modelName, format));
    }
  }
  console.log(
    `\n| engine, one thread, tokens/s | ${MEASURES.join(" | ")} |\n|---|${MEASURES.map(() => "---|").join("")}`,
  );
  for (const [name, speeds] of found) {
    const cells = MEASURES.map((measure) => median(speeds.map((one) => one[measure])).toFixed(0));
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

/** What `drover bench serve --json` says of one server at one level. */
type Level = Readonly<{
  load: Readonly<{ inFlight: number }>;
  server: string;
  median: Readonly<{
    outputTokensPerSecond: number;
    failed: number;
    ttft: Readonly<{ p50: number; p99: number }>;
    tpot: Readonly<{ p50: number }>;
  }>;
}>;

/** What `drover` prints. It exits with 1 where a request had no answer: the table says how many. Errors: it ended without a report. */
async function reportOf(args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(join(root, "bin/drover"), args, { maxBuffer: 2 ** 28 });
    return stdout;
  } catch (error) {
    const stdout = error instanceof Error && "stdout" in error ? error.stdout : undefined;
    if (typeof stdout !== "string" || !stdout.trimEnd().endsWith("}")) throw error;
    return stdout;
  }
}

async function served(): Promise<void> {
  const flags = `--model ${resolve(values.model)} ${values.flags}`;
  await using held = new AsyncDisposableStack();
  const start = async (expertWorkers: string, more = "") => {
    const cluster = await startCluster(root, { expertWorkers, flags: `${flags} ${more}` });
    held.defer(() => cluster.end());
    return cluster.url;
  };
  const one = await start("0");
  const whole = await start("0", "--attention-workers 2 --expert-holders 2");
  const against = [
    { name: "2 whole workers", at: whole },
    { name: "4 expert workers", at: await start("4") },
    ...servers,
  ];
  const args = ["bench", "serve", one, "--json", "--api", "completions", "--concurrency", values.streams];
  for (const name of ["rounds", "requests", "input-tokens", "output-tokens"] as const)
    args.push(`--${name}`, values[name]);
  for (const { name, at } of against) args.push("--against", `${name}=${at}`);
  const { levels } = JSON.parse(await reportOf(args)) as { levels: readonly Level[] };
  console.log(
    "\n| streams | server | tokens/s | tokens/s while decoding | first token p50, p99, ms | failed |\n|---|---|---|---|---|---|",
  );
  for (const { load, server, median: middle } of levels) {
    const { outputTokensPerSecond, ttft, tpot, failed } = middle;
    // Of each stream, behind its first token.
    const decoding = (load.inFlight * 1000) / tpot.p50;
    const name = server === "this" ? "one process" : server;
    const speeds = [outputTokensPerSecond, decoding].map((speed) => speed.toFixed(0));
    console.log(
      `| ${load.inFlight} | ${name} | ${speeds.join(" | ")} | ${ttft.p50.toFixed(0)}, ${ttft.p99.toFixed(0)} | ${failed} |`,
    );
  }
}

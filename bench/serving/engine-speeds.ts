import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { median } from "./figures.ts";

const run = promisify(execFile);

/** What an engine alone is measured at: tokens a second of prompts of 64 and 64 generated at these batches, and of a prompt of 512. */
export const MEASURES = ["decode, batch 1", "decode, batch 8", "decode, batch 32", "prefill 512"] as const;
type Measure = (typeof MEASURES)[number];
export type EngineSpeeds = Readonly<Record<Measure, number>>;

/** Weights as both engines have them: Drover's setting, and the name that llama.cpp's files end with. */
export const FORMATS = {
  f32: { flags: [], file: "f32" },
  int4: { flags: ["--quantize", "int4"], file: "q4_0" },
} as const;
export type Format = keyof typeof FORMATS;

/** Rounds that each side measures in one process, behind its warming up; their median counts. */
const ROUNDS = 3;

/** `bench/engine.ts`, one thread, in a process of its own. */
export async function droverEngine(root: string, model: string, format: Format): Promise<EngineSpeeds> {
  const args = [
    join(root, "scripts/run.mjs"),
    join(root, "bench/engine.ts"),
    "--json",
    "--rounds",
    String(ROUNDS),
    "--model",
    model,
  ];
  const { stdout } = await run(process.execPath, [...args, ...FORMATS[format].flags]);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as EngineSpeeds;
}

/**
 * llama.cpp's own benchmarks, one thread, on `FOLDER/NAME-FORMAT.gguf`, its programs in `FOLDER/build/bin`. Undefined where the folder has no
 * such file.
 */
export async function llamaEngine(folder: string, name: string, format: Format): Promise<EngineSpeeds | undefined> {
  const file = join(folder, `${name}-${FORMATS[format].file}.gguf`);
  if (!existsSync(file)) return undefined;
  const program = (called: string) => join(folder, "build/bin", called);
  const common = ["-m", file, "-t", "1"];
  const shape = [
    "-tb",
    "1",
    "-c",
    String(32 * 128),
    "-npp",
    "64",
    "-ntg",
    "64",
    "-npl",
    [1, 8, 32].flatMap((batch) => Array(ROUNDS).fill(batch)).join(","),
    "-b",
    "2048",
    "-ub",
    "512",
  ];
  const decoded = await run(program("llama-batched-bench"), [...common, ...shape, "--output-format", "jsonl"]);
  const lines = decoded.stdout.split("\n").filter((line) => line.startsWith("{"));
  const batches = lines.map((line) => JSON.parse(line) as { pl: number; speed_tg: number });
  const speedAt = (batch: number) => median(batches.filter(({ pl }) => pl === batch).map((one) => one.speed_tg));
  const prefilled = await run(program("llama-bench"), [
    ...common,
    "-p",
    "512",
    "-n",
    "0",
    "-r",
    String(ROUNDS),
    "-o",
    "json",
  ]);
  const [prefill] = JSON.parse(prefilled.stdout) as readonly { avg_ts: number }[];
  return {
    "decode, batch 1": speedAt(1),
    "decode, batch 8": speedAt(8),
    "decode, batch 32": speedAt(32),
    "prefill 512": prefill?.avg_ts ?? Number.NaN,
  };
}

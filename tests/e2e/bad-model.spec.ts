import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./test-cluster.ts";

const NANO = join(ROOT, "models/nano");
const SHARD = "model-00002-of-00002.safetensors";

/** A copy of nano in which something is wrong. */
async function spoiledNano(spoil: (folder: string) => Promise<void>): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "drover-bad-"));
  for (const name of await readdir(NANO)) await copyFile(join(NANO, name), join(path, name));
  await spoil(path);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function run(command: string, ...flags: string[]): Promise<{ status: number | null; output: string }> {
  const main = join(ROOT, "apps/drover/src/main.ts");
  const child = spawn(process.execPath, ["--conditions=@drover/source", main, command, ...flags], { cwd: ROOT });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output += String(chunk);
    });
  const [status] = await once(child, "close");
  return { status, output };
}

const edit = (name: string, from: string | RegExp, to: string) => async (folder: string) => {
  const path = join(folder, name);
  await writeFile(path, (await readFile(path, "utf8")).replace(from, to));
};

/** What is wrong, and the sentence about it that weights' holders and router alike must end with. */
const CASES: readonly (readonly [string, (folder: string) => Promise<void>, RegExp])[] = [
  ["a shard is missing", (folder) => rm(join(folder, SHARD)), /model-00002-of-00002\.safetensors cannot be opened/],
  [
    "a shard is truncated",
    (folder) => truncate(join(folder, SHARD), 9_000_000),
    new RegExp(`${SHARD}: tensor \\S+ ends at byte \\d+ of 9000000: it is truncated`),
  ],
  [
    "config.json has another shape",
    edit("config.json", '"intermediate_size": 64', '"intermediate_size": 65'),
    /safetensors: tensor \S+ has shape \[64,256\] where config\.json makes it \[65,256\]/,
  ],
  [
    "config.json has a number that is none",
    edit("config.json", '"num_hidden_layers": 8', '"num_hidden_layers": 1e15'),
    /config\.json: text_config\.num_hidden_layers is 1000000000000000; it must be at most/,
  ],
  ["config.json is cut off", (folder) => truncate(join(folder, "config.json"), 100), /config\.json is not valid JSON/],
  [
    "the quantization is another",
    edit("config.json", '"quant_method": "compressed-tensors"', '"quant_method": "awq"'),
    /config\.json: quantization_config\.quant_method is awq/,
  ],
];

test.each(CASES)(
  "where %s, every process ends at once with the same sentence",
  async (_, spoil, sentence) => {
    await using folder = await spoiledNano(spoil);
    const scheduler = ["--scheduler", "127.0.0.1:1"];
    const model = ["--model", folder.path];
    const runs = await Promise.all([
      run("up", ...model, "--queue", "embedded", "--http-port", "0", "--grpc-port", "0"),
      run("worker", ...model, ...scheduler, "--roles", "experts"),
      run("worker", ...model, ...scheduler, "--roles", "attention"),
      run("router", ...model, ...scheduler, "--queue", "scheduler", "--http-port", "0", "--grpc-port", "0"),
    ]);
    for (const { status, output } of runs) {
      expect(output).toMatch(sentence);
      expect(status).not.toBe(0);
      expect(output).not.toContain("    at ");
    }
  },
  60_000,
);

test.each([
  ["tokenizer.json", /tokenizer\.json/],
  ["generation_config.json", /generation_config\.json is not valid JSON/],
  ["preprocessor_config.json", /preprocessor_config\.json is not valid JSON/],
])(
  "where %s is cut off, the cluster ends and names it",
  async (name, sentence) => {
    await using folder = await spoiledNano((path) => truncate(join(path, name), 60));
    const { status, output } = await run(
      "up",
      "--model",
      folder.path,
      "--queue",
      "embedded",
      "--http-port",
      "0",
      "--grpc-port",
      "0",
    );
    expect(output).toMatch(sentence);
    expect(status).not.toBe(0);
    expect(output).not.toContain("    at ");
  },
  60_000,
);

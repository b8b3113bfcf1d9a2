import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertCheckpoint, headFormat, linearBytes } from "@drover/checkpoint";
import { assert, neverAborted } from "@drover/core";
import { WEIGHT_KINDS } from "@drover/llama4";
import { type ConfigSources, parseConfig } from "@drover/process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compressedFp8, maverickConfig, scoutConfig } from "../testing/released-configs.ts";
import { planSpec } from "./plan-config.ts";
import { planJson } from "./plan-json.ts";
import { type PlanReport, planReport } from "./plan-report.ts";
import { readPlanSource } from "./plan-source.ts";
import { planTable } from "./plan-table.ts";

const nano = join(import.meta.dirname, "../../../../models/nano");
let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "drover-plan-"));
  const configs = { scout: scoutConfig, maverick: maverickConfig };
  const all = { ...configs, "maverick-fp8": { ...maverickConfig, quantization_config: compressedFp8 } };
  for (const [name, config] of Object.entries(all)) {
    await mkdir(join(root, name));
    await writeFile(join(root, name, "config.json"), JSON.stringify(config));
  }
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function report(folder: string, flags = ""): Promise<PlanReport> {
  const sources: ConfigSources = { argv: flags.split(" ").filter(Boolean), env: {} };
  return planReport(folder, await readPlanSource(folder, neverAborted), parseConfig(planSpec, sources));
}
const planOf = (name: string, flags = "") => report(join(root, name), flags);

test.each([
  ["scout", "--quantize int4 --gpus 1 --gpu-memory 80GiB", "FITS one GPU of 80GiB: "],
  ["maverick-fp8", "--gpus 8 --gpu-memory 80GiB --context 1M", "FITS 8 GPUs of 80GiB: "],
  ["maverick", "--gpus 8 --gpu-memory 80GiB", "DOES NOT FIT 8 GPUs of 80GiB. The weights take 748.01 GiB"],
  [
    "scout",
    "--context 10M",
    "DOES NOT FIT 8 GPUs of 80GiB. The weights do, but one request of 10,485,760 tokens needs",
  ],
])("%s with %s: %s", async (name, flags, sentence) => {
  const text = planTable(await planOf(name, flags));
  expect(text.split("\n\n")[1]?.replaceAll("\n", " ").startsWith(sentence)).toBe(true);
});

test("KV takes what its type says: of int8 a byte for each number and four for each row and head", async () => {
  const bytes = async (flags: string) =>
    (await planOf("maverick-fp8", `--context 1M ${flags}`)).plan.context.kv.totalBytes;
  expect(await bytes("")).toBe(49.125 * 2 ** 30);
  expect(await bytes("--kv-dtype f32")).toBe(2 * 49.125 * 2 ** 30);
  expect(await bytes("--kv-dtype int8")).toBe((49.125 * 2 ** 30 * (128 + 4)) / 256);
  expect(planTable(await planOf("scout", "--kv-dtype int8"))).toContain(
    "KV is int8 with a scale for each row and head.",
  );
});

test("every remedy that the text names is a flag that makes it fit", async () => {
  for (const [name, flags] of [
    ["maverick", "--context 128K"],
    ["scout", "--gpus 1 --quantize int8 --context 1M"],
    ["maverick-fp8", "--replicas 2"],
  ] as const) {
    const lines = planTable(await planOf(name, flags))
      .split("\n")
      .filter((line) => line.startsWith("  --"));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect((await planOf(name, `${flags} ${line.trim()}`)).plan.fits).toBe(true);
  }
});

test("every column has a name, and what does not fit takes one line", async () => {
  const lengths = (text: string, head: string) => text.split("\n\n").filter((part) => part.startsWith(head));
  const none = planTable(await planOf("maverick", "--gpus 1"));
  for (const section of lengths(none, "FLOOR"))
    expect(section).toMatch(/^FLOOR AT [\d,]+ TOKENS: not one request fits\.$/);
  const some = lengths(planTable(await planOf("scout", "--quantize int4 --context 1M")), "FLOOR").at(-1);
  expect(some).toMatch(/\nMore at once do not fit\.$/);
  for (const section of lengths(planTable(await planOf("scout")), "WORKER")) {
    const [head = "", row = ""] = section.split("\n");
    expect(head.trim().split(/ {2,}/)).toHaveLength(row.trim().split(/ {2,}/).length);
  }
});

test("no line is wider than 100 columns", async () => {
  for (const [name, flags] of [
    ["maverick", ""],
    ["maverick", "--gpus 1024 --replicas 3"],
    ["maverick-fp8", "--context 999999 --quantize int4"],
    ["scout", "--gpus 3 --quantize int8"],
  ] as const) {
    const widths = planTable(await planOf(name, flags))
      .split("\n")
      .map((line) => line.length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(100);
  }
});

test("the head is named by its own format, which its bytes are of", async () => {
  for (const name of ["int4", "int8"]) {
    const { quantization, headDtype, plan, source } = await planOf("scout", `--quantize ${name}`);
    const head = headFormat(quantization);
    const { vocabSize, hiddenSize } = source.model;
    expect(headDtype).toBe(head === null ? "BF16" : `int${head.bits}`);
    if (head !== null) expect(plan.weights.byKind.head.bytes).toBe(linearBytes(vocabSize, hiddenSize, head));
  }
});

test("a head tied to the embeddings is quantized apart from them, as convert writes it", async () => {
  await mkdir(join(root, "tied"));
  await writeFile(join(root, "tied", "config.json"), JSON.stringify({ ...scoutConfig, tie_word_embeddings: true }));
  expect((await planOf("tied")).plan.weights.byKind.head.bytes).toBe(0);
  const { plan, converted } = await planOf("tied", "--quantize int4");
  expect(plan.weights.byKind.head.bytes).toBe(
    (await planOf("scout", "--quantize int4")).plan.weights.byKind.head.bytes,
  );
  expect(converted?.weightBytes).toBe(plan.weights.totalBytes);
});

test("JSON has the same plan, sizes as numbers of bytes", async () => {
  const made = await planOf("scout", "--gpus 4 --quantize int4");
  const parsed = JSON.parse(planJson(made)) as Record<string, unknown>;
  expect(parsed.fits).toBe(made.plan.fits);
  expect(parsed.weights).toEqual(JSON.parse(JSON.stringify(made.plan.weights)));
  expect(parsed.asked).toMatchObject({ gpuCount: 4, gpuBytes: 80 * 2 ** 30, contextTokens: 131_072 });
});

test.each([
  ["--context 2M", /--context is 2,097,152 tokens, and the model goes to 1,048,576/],
  ["--context soon", /--context must be a number of tokens/],
  ["--context 0", /--context must be a number of tokens/],
  ["--replicas 9", /--replicas 9 needs as many GPUs/],
  ["--gpu-memory big", /--gpu-memory must be a size/],
])("%s is refused in a sentence", async (flags, message) => {
  await expect(planOf("maverick", flags)).rejects.toThrow(message);
});

test.each(["int4", "int8"])(
  "%s totals are what convert writes, to the byte, and what a converted folder plans as",
  async (name) => {
    const { plan, quantization, converted } = await report(nano, `--quantize ${name}`);
    assert(quantization !== null && converted !== null, "the plan is of a conversion");
    expect(converted.weightBytes).toBe(plan.weights.totalBytes);
    const out = join(root, `nano-${name}`);
    const packer = { kind: "none", pack: () => Promise.resolve(null) };
    await convertCheckpoint({
      source: nano,
      out,
      quantization,
      packer,
      onProgress: () => undefined,
      signal: neverAborted,
    });
    let byteCount = 0;
    let fileCount = 0;
    for (const entry of await readdir(out, { recursive: true, withFileTypes: true })) {
      if (!/\.(weights|safetensors)$/.test(entry.name)) continue;
      byteCount += (await stat(join(entry.parentPath, entry.name))).size;
      fileCount++;
    }
    expect({ byteCount, fileCount }).toEqual({ byteCount: converted.byteCount, fileCount: converted.fileCount });
    const again = await report(out);
    expect(again.plan.weights.totalBytes).toBe(plan.weights.totalBytes);
    for (const kind of WEIGHT_KINDS)
      expect(again.plan.weights.byKind[kind].bytes).toBe(plan.weights.byKind[kind].bytes);
    await expect(report(out, "--quantize int4")).rejects.toThrow(/is converted to .* already/);
  },
  60_000,
);

import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  convertCheckpoint,
  convertedFiles,
  loadModelConfig,
  openCheckpoint,
  type Quantization,
} from "@drover/checkpoint";
import { type Logger, neverAborted, silentLogger } from "@drover/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { logprobsOf } from "../testing/logprobs.ts";
import { matrixPacker } from "./matrix-packer.ts";

const nano = join(import.meta.dirname, "../../../../models/nano");
const int4: Quantization = { bits: 4, blockSize: 128 };
const prompt = Int32Array.from({ length: 40 }, (_, i) => (i * 7919) % 3000);
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-converted-"));
  await convertCheckpoint({
    source: nano,
    out: folder,
    quantization: int4,
    packer: await matrixPacker(int4),
    onProgress: () => undefined,
    signal: neverAborted,
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}

test("a converted model computes what quantizing while reading does", async () => {
  const onTheFly = await logprobsOf(nano, int4, prompt, silentLogger);
  expect(largestDifference(await logprobsOf(folder, null, prompt, silentLogger), onTheFly)).toBeLessThan(1e-5);
  expect(largestDifference(await logprobsOf(folder, int4, prompt, silentLogger), onTheFly)).toBeLessThan(1e-5);
});

test("its files have the sizes that shapes alone give, to the byte", async () => {
  await using checkpoint = await openCheckpoint(nano);
  for (const { file, byteCount } of convertedFiles(await loadModelConfig(nano), checkpoint.tensors(), int4)) {
    expect((await stat(join(folder, file))).size).toBe(byteCount);
  }
});

test("another format than the one it was converted to is refused", async () => {
  const wanted = logprobsOf(folder, { bits: 8, blockSize: 128 }, prompt, silentLogger);
  await expect(wanted).rejects.toMatchObject({ code: "invalid_argument", field: "quantize" });
});

test("on another kind of CPU it computes the same, packs in memory, and says so", async () => {
  const manifest = join(folder, "drover-converted.json");
  const text = await readFile(manifest, "utf8");
  const here = await logprobsOf(folder, null, prompt, silentLogger);
  const events: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (event) => void events.push(event) };
  try {
    await writeFile(manifest, text.replace(/"packing":"[^"]*"/, '"packing":"MatMulNBits+1"'));
    expect(largestDifference(await logprobsOf(folder, null, prompt, logger), here)).toBe(0);
    expect(events).toEqual(["weights.repacked"]);
    // A runtime whose kernels pack otherwise, though the probe did not tell: the keys do.
    await writeFile(manifest, text.replaceAll(/"key":"MatMulNBits\+\d/g, '"key":"MatMulNBits+'));
    expect(largestDifference(await logprobsOf(folder, null, prompt, logger), here)).toBe(0);
  } finally {
    await writeFile(manifest, text);
  }
});

import { copyFile, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { neverAborted } from "@drover/core";
import type { FileRange, MappedLinear } from "@drover/llama4";
import { expect, test } from "vitest";
import { loadModelConfig } from "../config/model-config.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { LayerWeights, type ServedLinear } from "../tensors/layer-weights.ts";
import { type LinearRows, readAllRows } from "../tensors/linear-rows.ts";
import { dequantizeLinear } from "../tensors/quantize.ts";
import { TextWeights } from "../tensors/text-weights.ts";
import { temporaryFolder } from "../testing/write-safetensors.ts";
import { ConvertedTextRows } from "./converted-text-rows.ts";
import { ConvertedWeights } from "./converted-weights.ts";
import { MANIFEST, readManifest } from "./manifest.ts";
import { convert, sourceFolder } from "./testing/conversions.ts";
import { verifyVision } from "./verify-vision.ts";

/** A converted small model, its weights, and the same quantized while they are read. */
async function opened(packing = "test") {
  const source = await sourceFolder();
  const out = await temporaryFolder({});
  await convert(source.path, out.path);
  const config = await loadModelConfig(out.path);
  const checkpoints = [await openCheckpoint(source.path), await openCheckpoint(out.path)] as const;
  const onTheFly = new LayerWeights(new TextWeights(checkpoints[0], config), { bits: 4, blockSize: 32 });
  const open = async () => {
    const manifest = await readManifest(out.path);
    if (manifest === null) throw new Error("the folder is converted");
    return new ConvertedWeights(checkpoints[1], config, manifest, packing, neverAborted);
  };
  return {
    folder: out.path,
    open,
    rows: async () => new ConvertedTextRows(await open(), new TextWeights(checkpoints[1], config), config),
    onTheFly,
    async [Symbol.asyncDispose]() {
      for (const checkpoint of checkpoints) await checkpoint[Symbol.asyncDispose]();
      for (const folder of [source, out]) await folder[Symbol.asyncDispose]();
    },
  };
}

/** A mapped Linear's bytes, with the parts behind one another. */
async function bytesOf(linear: MappedLinear) {
  const packed: Buffer[] = [];
  const scales: Buffer[] = [];
  for (const part of linear.parts) {
    const bytes = await readFile(part.file);
    const cut = ({ offset, length }: FileRange) => bytes.subarray(offset, offset + length);
    packed.push(cut(part.packed));
    scales.push(cut(part.scales));
  }
  return { packed: Buffer.concat(packed), scales: Buffer.concat(scales) };
}

async function expectEqual(mapped: ServedLinear | MappedLinear, served: ServedLinear) {
  if (mapped.kind !== "mapped" || served.kind !== "quantized") {
    expect(mapped).toEqual(served);
    return;
  }
  const { packed, scales } = await bytesOf(mapped);
  expect(packed.equals(served.packed)).toBe(true);
  expect(scales.equals(new Uint8Array(served.scales.buffer))).toBe(true);
}

async function flip(path: string, at: number) {
  const bytes = await readFile(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

test("converted weights are those that quantizing while reading gives, bit by bit", async () => {
  await using it = await opened();
  const weights = await it.open();
  for (let layer = 0; layer < 4; layer++) {
    const { norm, qkv } = await weights.attention(layer);
    const expected = await it.onTheFly.attention(layer);
    expect(norm).toEqual(expected.norm);
    await expectEqual(qkv, expected.qkv);
    await expectEqual(await weights.output(layer), await it.onTheFly.output(layer));
    const kind = layer % 2 === 0 ? "dense" : "shared";
    await expectEqual((await weights[kind](layer)).gateUp, (await it.onTheFly[kind](layer)).gateUp);
    await expectEqual((await weights[kind](layer)).down, (await it.onTheFly[kind](layer)).down);
    if (layer % 2 === 0) continue;
    expect(await weights.gate(layer)).toEqual(await it.onTheFly.gate(layer));
    for (let expert = 0; expert < 3; expert++) {
      await expectEqual((await weights.expert(layer, expert)).gateUp, (await it.onTheFly.expert(layer, expert)).gateUp);
      await expectEqual((await weights.expert(layer, expert)).down, (await it.onTheFly.expert(layer, expert)).down);
    }
  }
  await expectEqual(await weights.head(), await it.onTheFly.head());
  const rows = [new Float32Array(16), new Float32Array(16)] as const;
  (await weights.embedding()).gather(Int32Array.of(3, 31), rows[0], 0);
  (await it.onTheFly.embedding()).gather(Int32Array.of(3, 31), rows[1], 0);
  expect(rows[0]).toEqual(rows[1]);
});

test("read as lines they have the same bytes and scales, and stand for the same numbers", async () => {
  await using it = await opened();
  const rows = await it.rows();
  const expectLines = async ({ stored, ...linear }: LinearRows, served: ServedLinear) => {
    if (served.kind !== "quantized" || stored === undefined) throw new Error("both are integers in blocks");
    const packed = new Uint8Array(stored.lineCount * stored.lineBytes);
    await stored.fill(1, packed.subarray(stored.lineBytes));
    await stored.fill(0, packed.subarray(0, stored.lineBytes));
    expect([stored.form, stored.groupSize]).toEqual([served.bits === 4 ? "U4" : "U8", served.blockSize]);
    expect(packed).toEqual(served.packed);
    expect(await stored.scales()).toEqual(served.scales);
    const { outSize, inSize } = linear;
    expect(await readAllRows({ ...linear, stored })).toEqual(dequantizeLinear(served, outSize, inSize));
  };
  const { qkv, output } = await rows.attention(1);
  await expectLines(qkv, (await it.onTheFly.attention(1)).qkv);
  await expectLines(output, await it.onTheFly.output(1));
  await expectLines((await rows.dense(0)).down, (await it.onTheFly.dense(0)).down);
  await expectLines((await rows.shared(1)).gateUp, (await it.onTheFly.shared(1)).gateUp);
  await expectLines((await rows.expert(1, 2)).gateUp, (await it.onTheFly.expert(1, 2)).gateUp);
  await expectLines(await rows.head(), await it.onTheFly.head());
  expect(await readAllRows(await rows.router(1))).toEqual((await (await it.open()).gate(1)).data);
  expect((await rows.embedding()).stored?.form).toBe("BF16");
});

test("what was packed is used by CPUs of the same kind only", async () => {
  const prepared = async (packing: string) => {
    await using it = await opened(packing);
    const { down } = await (await it.open()).expert(1, 0);
    return down.parts.map((part) => part.prepared?.key);
  };
  expect(await prepared("test")).toEqual([expect.stringMatching(/^Test\+/)]);
  expect(await prepared("other")).toEqual([undefined]);
});

test("a flipped bit, a truncated or a missing file is named, by who reads it and by nobody else", async () => {
  await using it = await opened();
  const path = join(it.folder, "layers/001/experts/001.weights");
  const whole = await readFile(path);
  const complaint = async () =>
    (await it.open()).expert(1, 1).then(
      () => "none",
      (error: Error) => error.message,
    );
  await flip(path, 5);
  expect(await complaint()).toMatch(/layers\/001\/experts\/001.weights: .* its weights were changed/);
  await expect((await it.open()).expert(1, 0)).resolves.toBeDefined();
  await writeFile(path, whole);
  await flip(path, -3);
  expect(await complaint()).toMatch(/its packed weights were changed/);
  await writeFile(path, whole);
  await truncate(path, whole.length - 1);
  expect(await complaint()).toMatch(/001.weights: has \d+ bytes where its manifest says \d+/);
  await rm(path);
  expect(await complaint()).toMatch(/layers\/001\/experts\/001.weights is missing/);
  await writeFile(path, whole);
  expect(await complaint()).toBe("none");
});

test("packed bytes of another kind of CPU are not even read", async () => {
  await using it = await opened("other");
  await flip(join(it.folder, "layers/001/experts/001.weights"), -3);
  await expect((await it.open()).expert(1, 1)).resolves.toBeDefined();
});

test("norms, routers and the embedding are checked too", async () => {
  await using it = await opened();
  await flip(join(it.folder, "text.safetensors"), -1);
  await flip(join(it.folder, "embedding.safetensors"), -1);
  await expect((await it.open()).vector("model.norm.weight")).rejects.toThrow(/text.safetensors: .* were changed/);
  await expect((await it.open()).gate(1)).rejects.toThrow(/text.safetensors: .* were changed/);
  await expect((await it.open()).embedding()).rejects.toThrow(/embedding.safetensors: .* were changed/);
});

test("vision weights are checked in a converted folder, and in no other", async () => {
  await using it = await opened();
  await using source = await sourceFolder();
  await verifyVision(it.folder, neverAborted);
  await verifyVision(source.path, neverAborted);
  await flip(join(it.folder, "vision.safetensors"), -1);
  await expect(verifyVision(it.folder, neverAborted)).rejects.toThrow(/vision.safetensors: .* were changed/);
});

test("a manifest that lacks a file, or has another model's, is refused before anything is loaded", async () => {
  await using it = await opened();
  const path = join(it.folder, MANIFEST);
  const text = await readFile(path, "utf8");
  const lines = text.split("\n");
  await writeFile(path, lines.filter((line) => !line.includes("experts/002")).join("\n"));
  await expect(it.open()).rejects.toThrow(/does not name layers\/001\/experts\/002.weights/);
  await writeFile(path, text.replaceAll('"bits":4', '"bits":8'));
  await expect(it.open()).rejects.toThrow(/gives layers\/000\/attention.weights \d+ bytes where config.json makes it/);
});

test("files that are links are mapped from where they lie", async () => {
  await using it = await opened();
  await using elsewhere = await temporaryFolder({});
  const path = join(it.folder, "layers/001/experts/001.weights");
  const target = join(elsewhere.path, "blob");
  await copyFile(path, target);
  await rename(path, `${path}.old`);
  await symlink(target, path);
  const { down } = await (await it.open()).expert(1, 1);
  expect(down.parts[0]?.file.endsWith("blob")).toBe(true);
});

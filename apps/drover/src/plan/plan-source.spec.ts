import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DroverError, neverAborted } from "@drover/core";
import type { TensorShape } from "@drover/llama4";
import { weightInventory } from "@drover/planning";
import { expect, test } from "vitest";
import {
  blockFp8,
  compressedFp8,
  fbgemmFp8,
  maverickConfig,
  modelOpt,
  nvfp4,
  scoutConfig,
  transformersFp8,
  w4a16,
  w8a8,
} from "../testing/released-configs.ts";
import { quantized } from "./plan-quantize.ts";
import { type PlanSource, readPlanSource } from "./plan-source.ts";

const FILES = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] as const;
const INDEX = "model.safetensors.index.json";

async function folderOf(config: unknown): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "drover-plan-"));
  await writeFile(join(path, "config.json"), JSON.stringify(config));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Two files with these tensors' headers; their data is a hole, or absent. */
async function writeHeaders(folder: string, tensors: readonly TensorShape[], withData: boolean): Promise<void> {
  const half = Math.ceil(tensors.length / 2);
  const map: Record<string, string> = {};
  for (const [i, name] of FILES.entries()) {
    let end = 0;
    const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
    for (const tensor of tensors.slice(i * half, (i + 1) * half)) {
      const begin = end;
      end += tensor.byteCount;
      header[tensor.name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [begin, end] };
      map[tensor.name] = name;
    }
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    await using file = await open(join(folder, name), "w");
    await file.write(Buffer.concat([length, text]));
    if (withData) await truncate(join(folder, name), 8 + text.length + end);
  }
  await writeFile(join(folder, INDEX), JSON.stringify({ weight_map: map }));
}

const inventory = ({ tensors, model }: PlanSource) => weightInventory(tensors, model);

test.each([
  ["Maverick in bf16", maverickConfig, undefined],
  ["Maverick in fused FP8", maverickConfig, fbgemmFp8],
  ["Maverick in unfused FP8", maverickConfig, compressedFp8],
  ["Scout in bf16", scoutConfig, undefined],
  ["Scout in unfused FP8", scoutConfig, compressedFp8],
  ["Scout in w4a16", scoutConfig, w4a16(true, 128)],
  ["Scout in w4a16 with zero points", scoutConfig, w4a16(false, 32)],
  ["Scout in w4a16 by outputs", scoutConfig, w4a16(true, null)],
  ["Scout in NVFP4 by compressed-tensors", scoutConfig, nvfp4],
  ["Scout in FP8 of blocks", scoutConfig, blockFp8],
])(
  "%s weighs the same by config.json, by an index, and by headers with and without their data",
  async (_, config, quantization) => {
    await using folder = await folderOf({ ...config, quantization_config: quantization });
    const alone = await readPlanSource(folder.path, neverAborted);
    expect(alone.origin).toBe("config");
    await writeHeaders(folder.path, alone.tensors, true);
    const whole = await readPlanSource(folder.path, neverAborted);
    expect(whole).toMatchObject({ origin: "headers", notes: [] });
    expect(inventory(whole)).toEqual(inventory(alone));
    await writeHeaders(folder.path, alone.tensors, false);
    const headers = await readPlanSource(folder.path, neverAborted);
    expect(inventory(headers)).toEqual(inventory(alone));
    expect(headers.notes).toEqual([
      `The files lack ${inventory(alone).totalBytes.toLocaleString("en")} bytes of the data that their headers promise.`,
    ]);
    for (const file of FILES) await rm(join(folder.path, file));
    const index = await readPlanSource(folder.path, neverAborted);
    expect(index.origin).toBe("index");
    expect(inventory(index)).toEqual(inventory(alone));
  },
);

test.each([
  ["w4a16", scoutConfig, w4a16(true, 128)],
  ["w8a8", scoutConfig, w8a8],
  ["NVFP4 by compressed-tensors", scoutConfig, nvfp4],
  ["NVFP4 by ModelOpt", scoutConfig, modelOpt("NVFP4")],
  ["FP8 by ModelOpt", maverickConfig, modelOpt("FP8")],
  ["FP8 by transformers", maverickConfig, transformersFp8],
])(
  "%s has the model's parameters, and weighs as much as any other form once it is quantized",
  async (_, config, quantization) => {
    await using plain = await folderOf(config);
    await using folder = await folderOf({ ...config, quantization_config: quantization });
    const wanted = await readPlanSource(plain.path, neverAborted);
    const stored = await readPlanSource(folder.path, neverAborted);
    await writeHeaders(folder.path, stored.tensors, true);
    const headers = await readPlanSource(folder.path, neverAborted);
    const int4 = { bits: 4, blockSize: 128 } as const;
    for (const source of [stored, headers]) {
      expect(inventory(source).parameterCount).toBe(inventory(wanted).parameterCount);
      const bytes = ({ tensors, model }: PlanSource) => weightInventory(quantized(tensors, model, int4), model).byKind;
      expect(bytes(source).routed.bytes).toBe(bytes(wanted).routed.bytes);
      expect(bytes(source).shared.bytes).toBe(bytes(wanted).shared.bytes);
    }
    expect(headers.notes).toEqual(stored.notes);
    for (const file of FILES) await rm(join(folder.path, file));
    const index = await readPlanSource(folder.path, neverAborted);
    expect(inventory(index)).toEqual(inventory(stored));
  },
);

test("a Scout in w4a16 weighs what one H100 holds", async () => {
  await using folder = await folderOf({ ...scoutConfig, quantization_config: w4a16(true, 128) });
  const { byKind, totalBytes } = inventory(await readPlanSource(folder.path, neverAborted));
  // Half a byte a weight, two bytes for each group of 128, and the two numbers of each Linear's shape.
  expect(byKind.routed.bytes).toBe(48 * 16 * (125_829_120 * (1 / 2 + 2 / 128) + 3 * 16));
  expect(totalBytes / 2 ** 30).toBeLessThan(64);
});

test("what a worker would refuse is refused by file and tensor, its data there or not", async () => {
  await using folder = await folderOf({ ...scoutConfig, quantization_config: w4a16(true, 128) });
  const { tensors } = await readPlanSource(folder.path, neverAborted);
  const name = "language_model.model.layers.3.feed_forward.experts.7.up_proj.weight_scale";
  const spoiled = tensors.map((tensor) => (tensor.name === name ? { ...tensor, shape: [4096, 80] } : tensor));
  for (const withData of [true, false]) {
    await writeHeaders(folder.path, spoiled, withData);
    await expect(readPlanSource(folder.path, neverAborted)).rejects.toThrow(
      /tensor \S+experts.7.up_proj.weight_scale has shape/,
    );
  }
});

test("released totals are those that are known", async () => {
  await using large = await folderOf(maverickConfig);
  await using small = await folderOf(scoutConfig);
  expect(inventory(await readPlanSource(large.path, neverAborted)).parameterCount).toBe(401_583_781_376);
  expect(inventory(await readPlanSource(small.path, neverAborted)).totalBytes).toBe(2 * 108_641_793_536);
});

test("what an index lacks or has too much of is told", async () => {
  await using folder = await folderOf(scoutConfig);
  const names = (await readPlanSource(folder.path, neverAborted)).tensors.map(({ name }) => name).slice(1);
  const map = Object.fromEntries(
    [...names, "language_model.model.rope.freqs"].map((name) => [name, "lost.safetensors"]),
  );
  await writeFile(join(folder.path, INDEX), JSON.stringify({ weight_map: map }));
  const { notes } = await readPlanSource(folder.path, neverAborted);
  expect(notes).toEqual([
    "1 file that the index names is absent: sizes follow from names and config.json.",
    "1 tensor of the index is of no known size and not counted: language_model.model.rope.freqs.",
    "1 tensor that config.json calls for is not in the index: language_model.model.embed_tokens.weight.",
  ]);
});

test.each([
  ["another quantization", { ...scoutConfig, quantization_config: { quant_method: "gptq" } }, /quant_method is gptq/],
  [
    "a regular expression that looks ahead",
    { ...scoutConfig, quantization_config: { ...compressedFp8, ignore: ["re:(?!.*vision).*"] } },
    /ignore has the pattern .* with a lookaround/,
  ],
  ["a type that is none", { ...scoutConfig, torch_dtype: "int3" }, /dtype must be one of/],
  [
    "an image cut in uneven patches",
    { ...scoutConfig, vision_config: { ...scoutConfig.vision_config, patch_size: 13 } },
    /image_size must be a multiple/,
  ],
])("config.json with %s is refused by its field", async (_, config, message) => {
  await using folder = await folderOf(config);
  const error = await readPlanSource(folder.path, neverAborted).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DroverError);
  expect(String(error)).toMatch(message);
});

test("headers that lack a tensor are planned with, and what they lack is told", async () => {
  await using folder = await folderOf(scoutConfig);
  const [first, ...others] = (await readPlanSource(folder.path, neverAborted)).tensors;
  await writeHeaders(folder.path, others, true);
  const { notes } = await readPlanSource(folder.path, neverAborted);
  expect(notes).toEqual([expect.stringMatching(`^It cannot be served as it is: .* has no tensor ${first?.name}`)]);
});

test("a tensor of a layer that config.json does not have is refused", async () => {
  await using folder = await folderOf(scoutConfig);
  const tensor = {
    name: "language_model.model.layers.48.input_layernorm.weight",
    dtype: "BF16",
    shape: [2],
    byteCount: 4,
  };
  await writeHeaders(folder.path, [tensor], true);
  await expect(readPlanSource(folder.path, neverAborted)).rejects.toThrow(
    /names 48 layers, and there is a tensor .*48/,
  );
});

import { mkdir, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { DroverError } from "@drover/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkModel } from "./check/check-model.ts";
import { loadModelConfig } from "./config/model-config.ts";
import { openCheckpoint } from "./files/checkpoint.ts";
import { TextWeights } from "./tensors/text-weights.ts";
import { releasedStyle } from "./testing/configs.ts";
import { type Spoiling, spoiledBytes, spoiledHeader, spoiledJson } from "./testing/spoiled.ts";
import { wholeModel } from "./testing/whole-model.ts";
import { safetensorsBytes, type TestTensor, temporaryFolder } from "./testing/write-safetensors.ts";

const { "vision_model.class_embedding": _, ...text } = wholeModel();
const one = part((name) => !name.includes("layers.1"));
const two = part((name) => name.includes("layers.1"));
const INDEX = "model.safetensors.index.json";
const files: Readonly<Record<string, Buffer>> = {
  "config.json": Buffer.from(JSON.stringify(releasedStyle)),
  "generation_config.json": Buffer.from('{"eos_token_id": [1, 2], "temperature": 0.6, "do_sample": true}'),
  [INDEX]: Buffer.from(
    JSON.stringify({ metadata: { total_size: 1 }, weight_map: { ...placesOf(one, "one"), ...placesOf(two, "two") } }),
  ),
  "one.safetensors": safetensorsBytes(one),
  "two.safetensors": safetensorsBytes(two),
};

function part(isIn: (name: string) => boolean): Record<string, TestTensor> {
  return Object.fromEntries(Object.entries(text).filter(([name]) => isIn(name)));
}

function placesOf(tensors: object, file: string): Record<string, string> {
  return Object.fromEntries(Object.keys(tensors).map((name) => [name, `${file}.safetensors`]));
}

/** What is wrong with a folder, by the check that every process makes; then by reading all that passes it. */
async function complaint(folder: string): Promise<string | undefined> {
  try {
    await checkModel(folder);
    const config = await loadModelConfig(folder);
    await using checkpoint = await openCheckpoint(folder);
    const weights = new TextWeights(checkpoint, config);
    await weights.embedding();
    await weights.linear("lm_head");
    for (const layer of config.moeLayers) await weights.expert(layer, config.expertCount - 1);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(DroverError);
    return error instanceof DroverError && error.code === "invalid_argument"
      ? error.message
      : `not a fault of files: ${error}`;
  }
}

/** A sentence for a person: one line, not endless, naming a file. */
function expectClear(message: string | undefined, folder: string): void {
  if (message === undefined) return;
  expect(message).toMatch(/^[\x20-\x7e]{10,900}$/);
  expect([...Object.keys(files), basename(folder)].some((name) => message.includes(name))).toBe(true);
}

async function withSpoiled(name: string, spoiling: Spoiling): Promise<void> {
  await using folder = await temporaryFolder(files);
  await writeFile(join(folder.path, name), spoiling.apply(files[name] ?? Buffer.alloc(0)));
  expectClear(await complaint(folder.path), folder.path);
}

test("the folder that all others are made from is whole", async () => {
  await using folder = await temporaryFolder(files);
  expect(await complaint(folder.path)).toBeUndefined();
});

describe("a spoiled folder is refused in one sentence, or is still one that can be read", () => {
  const names = fc.constantFrom(...Object.keys(files));
  const jsons = fc.constantFrom(...Object.keys(files).filter((name) => name.endsWith(".json")));
  const weights = fc.constantFrom(...Object.keys(files).filter((name) => !name.endsWith(".json")));
  const runs = { numRuns: 700, seed: 4 };

  test("whatever happens to its bytes", async () => {
    await fc.assert(fc.asyncProperty(names, spoiledBytes, withSpoiled), runs);
  });

  test("whatever its JSON says", async () => {
    await fc.assert(fc.asyncProperty(jsons, spoiledJson, withSpoiled), runs);
  });

  test("whatever its headers say", async () => {
    await fc.assert(fc.asyncProperty(weights, spoiledHeader, withSpoiled), runs);
  });

  test("whatever begins its files", async () => {
    const first = fc.uint8Array({ minLength: 0, maxLength: 64 }).map((bytes) => ({ apply: () => Buffer.from(bytes) }));
    await fc.assert(fc.asyncProperty(names, first, withSpoiled), { ...runs, numRuns: 300 });
  });
});

test("a tensor that is missing, misshapen, of another type or of no layer is named, whoever would read it", async () => {
  const spoiled = async (change: (tensors: Record<string, TestTensor>) => void) => {
    const tensors = { ...text };
    change(tensors);
    const { [INDEX]: _index, ...others } = files;
    await using folder = await temporaryFolder({ ...others, "model.safetensors": safetensorsBytes(tensors) });
    return await complaint(folder.path);
  };
  for (const name of Object.keys(text)) {
    expect(await spoiled((tensors) => delete tensors[name])).toContain(name);
    expect(
      await spoiled((tensors) => {
        const tensor = tensors[name];
        if (tensor !== undefined) tensors[name] = { ...tensor, shape: [...tensor.shape, 1] };
      }),
    ).toContain(`tensor ${name} has shape`);
    expect(
      await spoiled((tensors) => {
        const tensor = tensors[name];
        if (tensor !== undefined) tensors[name] = { ...tensor, dtype: "I16" };
      }),
    ).toContain(`tensor ${name} is I16`);
  }
  const extra = "language_model.model.layers.4.input_layernorm.weight";
  const norm = text["language_model.model.norm.weight"];
  expect(await spoiled((tensors) => norm && Object.assign(tensors, { [extra]: norm }))).toContain(
    `tensor ${extra} is of a layer`,
  );
});

test("a quantization that Drover does not read is named by its field", async () => {
  for (const [quantization_config, message] of [
    [{ quant_method: "gptq" }, "config.json: quantization_config.quant_method is gptq"],
    [{}, "config.json: quantization_config.quant_method is missing"],
    [
      { quant_method: "compressed-tensors", format: "marlin-24" },
      "config.json: quantization_config.format is marlin-24",
    ],
  ] as const) {
    await using folder = await temporaryFolder({
      ...files,
      "config.json": JSON.stringify({ ...releasedStyle, quantization_config }),
    });
    expect(await complaint(folder.path)).toContain(message);
  }
});

test("files of a hub's cache, which are links to blobs elsewhere, are read", async () => {
  await using folder = await temporaryFolder({});
  const snapshot = join(folder.path, "snapshots/0123abcd");
  await mkdir(join(folder.path, "blobs"));
  await mkdir(snapshot, { recursive: true });
  for (const [i, [name, bytes]] of Object.entries(files).entries()) {
    await writeFile(join(folder.path, `blobs/blob${i}`), bytes);
    await symlink(`../../blobs/blob${i}`, join(snapshot, name));
  }
  expect(await complaint(snapshot)).toBeUndefined();
  await symlink("../../blobs/lost", join(snapshot, "lost.safetensors"));
  await writeFile(join(folder.path, "blobs/blob2"), JSON.stringify({ weight_map: { a: "lost.safetensors" } }));
  expect(await complaint(snapshot)).toMatch(/lost.safetensors cannot be opened/);
});

test("what is no file, a folder or a pipe, is refused before it is opened", async () => {
  await using folder = await temporaryFolder(files);
  const { [INDEX]: _index, ...others } = files;
  await using single = await temporaryFolder(others);
  await mkdir(join(single.path, "model.safetensors"));
  expect(await complaint(single.path)).toMatch(/model.safetensors is no file/);
  await writeFile(join(folder.path, INDEX), JSON.stringify({ weight_map: { a: "null" } }));
  await symlink("/dev/zero", join(folder.path, "null"));
  expect(await complaint(folder.path)).toMatch(/null is no file/);
});

test("a header that claims more than memory is refused before it is read", async () => {
  for (const claim of [2n ** 64n - 1n, 2n ** 53n, 2n ** 40n, 33n * 2n ** 20n]) {
    const start = Buffer.alloc(64, " ");
    start.writeBigUInt64LE(claim);
    await using folder = await temporaryFolder({ ...files, "one.safetensors": start });
    expect(await complaint(folder.path)).toMatch(/one.safetensors: its header claims \d+ bytes/);
  }
});

import { DroverError } from "@drover/core";
import { expect, test } from "vitest";
import { bf16Tensor, f32Tensor, safetensorsBytes, temporaryFolder } from "../testing/write-safetensors.ts";
import { openCheckpoint } from "./checkpoint.ts";

const tensors = { a: f32Tensor([2, 3], [1, 2, 3, 4, 5, 6]), b: bf16Tensor([2], [0.5, -1]) };
const config = "{}";

/** What opening a folder with this file complains of. */
async function complaint(bytes: Uint8Array, others: Record<string, string> = {}): Promise<string> {
  await using folder = await temporaryFolder({ "config.json": config, "model.safetensors": bytes, ...others });
  const error = await openCheckpoint(folder.path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error instanceof DroverError && error.code === "invalid_argument" ? error.message : "";
}

test("tensors are read whole, by slices and by bytes", async () => {
  await using folder = await temporaryFolder({
    "config.json": config,
    "model.safetensors": safetensorsBytes(tensors),
  });
  await using checkpoint = await openCheckpoint(folder.path);
  expect(checkpoint.has("a")).toBe(true);
  expect(checkpoint.has("c")).toBe(false);
  expect(checkpoint.info("a")).toMatchObject({ dtype: "F32", shape: [2, 3], byteCount: 24 });
  expect([...(await checkpoint.readF32("a"))]).toEqual([1, 2, 3, 4, 5, 6]);
  expect([...(await checkpoint.readF32("b"))]).toEqual([0.5, -1]);
  expect([...(await checkpoint.readF32Slice("a", 1, 1))]).toEqual([4, 5, 6]);
  expect(await checkpoint.readBytes("a", 4, 4)).toEqual(Buffer.from(Float32Array.of(2).buffer));
  expect(() => checkpoint.info("c")).toThrow(/no tensor c/);
});

test("a sharded checkpoint takes every tensor from the file that its index names", async () => {
  const index = { weight_map: { a: "two.safetensors", b: "one.safetensors" } };
  await using folder = await temporaryFolder({
    "config.json": config,
    "model.safetensors.index.json": JSON.stringify(index),
    "one.safetensors": safetensorsBytes({ a: f32Tensor([1], [9]), b: tensors.b }),
    "two.safetensors": safetensorsBytes({ a: tensors.a }),
  });
  await using checkpoint = await openCheckpoint(folder.path);
  expect([...(await checkpoint.readF32("a"))]).toEqual([1, 2, 3, 4, 5, 6]);
  expect([...(await checkpoint.readF32("b"))]).toEqual([0.5, -1]);
});

test("an index whose shards were merged into one file says nothing, and one that has a shard does", async () => {
  const index = JSON.stringify({ weight_map: { a: "one.safetensors", b: "two.safetensors" } });
  const merged = {
    "config.json": config,
    "model.safetensors": safetensorsBytes(tensors),
    "model.safetensors.index.json": index,
  };
  await using folder = await temporaryFolder(merged);
  await using checkpoint = await openCheckpoint(folder.path);
  expect([...(await checkpoint.readF32("b"))]).toEqual([0.5, -1]);
  await using half = await temporaryFolder({ ...merged, "one.safetensors": safetensorsBytes({ a: tensors.a }) });
  await expect(openCheckpoint(half.path)).rejects.toThrow(/two.safetensors/);
});

test("an index that its files do not bear out is refused", async () => {
  const withIndex = (index: unknown) =>
    complaint(safetensorsBytes(tensors), { "model.safetensors.index.json": JSON.stringify(index) });
  expect(await withIndex({ weight_map: { c: "model.safetensors" } })).toMatch(/model.safetensors has no tensor c/);
  expect(await withIndex({ weight_map: { a: "lost.safetensors", b: "model.safetensors" } })).toMatch(
    /lost.safetensors cannot be opened/,
  );
  expect(await withIndex({ weight_map: { a: "../model.safetensors" } })).toMatch(/tensor a must be a name/);
  expect(await withIndex({})).toMatch(/weight_map is missing/);
});

test("a spoiled file is refused by its name and its tensor's", async () => {
  const whole = safetensorsBytes(tensors);
  const range = (tensor: "a" | "b", range: number[]) =>
    safetensorsBytes(tensors, (header) => {
      const entry = header[tensor];
      if (entry !== undefined) entry.data_offsets = range;
    });
  const typed = (dtype: string) => safetensorsBytes({ a: { ...tensors.a, dtype } });
  expect(await complaint(whole.subarray(0, 5))).toMatch(/model.safetensors: is too short/);
  expect(await complaint(whole.subarray(0, 40))).toMatch(/model.safetensors: its header claims .* truncated/);
  expect(await complaint(whole.subarray(0, -1))).toMatch(/tensor b ends at byte .* truncated/);
  expect(await complaint(Buffer.concat([whole, Buffer.alloc(3)]))).toMatch(/3 bytes after its last tensor/);
  expect(await complaint(Buffer.alloc(64, 0xff))).toMatch(/no safetensors file/);
  expect(await complaint(Buffer.concat([Buffer.of(2, 0, 0, 0, 0, 0, 0, 0), Buffer.from("no")]))).toMatch(
    /not valid JSON/,
  );
  expect(await complaint(range("b", [20, 24]))).toMatch(/tensor b overlaps a/);
  expect(await complaint(range("b", [25, 29]))).toMatch(/tensor b ends at byte/);
  expect(await complaint(range("a", [0, 20]))).toMatch(/tensor a has 20 bytes where F32 \[2,3\] takes 24/);
  expect(await complaint(range("a", [-4, 20]))).toMatch(/tensor a has no valid byte range/);
  expect(await complaint(safetensorsBytes(tensors, (header) => delete header.a))).toMatch(
    /tensor b begins 24 bytes after/,
  );
  expect(await complaint(typed("F31"))).toMatch(/tensor a has the unknown type F31/);
  expect(await complaint(typed("constructor"))).toMatch(/tensor a has the unknown type/);
  expect(await complaint(safetensorsBytes({ a: { ...tensors.a, shape: [2, -3] } }))).toMatch(
    /tensor a has no valid shape/,
  );
});

test("a type that holds no weights is carried, and refused only when it is read as one", async () => {
  const packed = { dtype: "I32", shape: [2], data: new Uint8Array(8) };
  await using folder = await temporaryFolder({
    "config.json": config,
    "model.safetensors": safetensorsBytes({ ...tensors, packed }),
  });
  await using checkpoint = await openCheckpoint(folder.path);
  expect(await checkpoint.readBytes("packed")).toHaveLength(8);
  await expect(checkpoint.readF32("packed")).rejects.toThrow(/model.safetensors: tensor packed is I32/);
});

test("the fingerprint changes with the config and with every tensor's place, and with nothing else", async () => {
  const fingerprint = async (bytes: Uint8Array, text = config) => {
    await using folder = await temporaryFolder({ "config.json": text, "model.safetensors": bytes });
    await using checkpoint = await openCheckpoint(folder.path);
    return checkpoint.fingerprint;
  };
  const one = await fingerprint(safetensorsBytes(tensors));
  expect(await fingerprint(safetensorsBytes(tensors))).toBe(one);
  expect(await fingerprint(safetensorsBytes(tensors), '{"hidden_size":1}')).not.toBe(one);
  expect(await fingerprint(safetensorsBytes({ a: tensors.a }))).not.toBe(one);
  expect(await fingerprint(safetensorsBytes({ ...tensors, b: f32Tensor([2], [0, 0]) }))).not.toBe(one);
});

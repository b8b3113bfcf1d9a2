import { expect, test } from "vitest";
import { hasVisionTensors, loadVisionConfig } from "../config/vision-config.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { releasedStyle } from "../testing/configs.ts";
import { tinyVisionConfig, tinyVisionTensors } from "../testing/tiny-vision.ts";
import { f32Tensor, safetensorsBytes, type TestTensor, temporaryFolder } from "../testing/write-safetensors.ts";
import { VisionWeights } from "./vision-weights.ts";

async function folderOf(tensors: Record<string, TestTensor>) {
  return temporaryFolder({
    "config.json": JSON.stringify({
      model_type: "llama4",
      text_config: releasedStyle,
      vision_config: tinyVisionConfig,
    }),
    "model.safetensors": safetensorsBytes(tensors),
  });
}

/** Reads every tensor of the encoder. */
async function readAll(directory: string) {
  await using checkpoint = await openCheckpoint(directory);
  const config = await loadVisionConfig(directory);
  if (config === undefined) throw new Error("the folder has an encoder");
  const weights = new VisionWeights(checkpoint, config);
  const layers = [];
  for (let layer = 0; layer < config.layerCount; layer++) layers.push(await weights.layer(layer));
  return { entry: await weights.entry(), layers, exit: await weights.exit() };
}

const QKV = ["q_proj", "k_proj", "v_proj"].map((part) => `vision_model.model.layers.0.self_attn.${part}`);

test("queries, keys and values are one Linear, their rows in this order", async () => {
  const tensors = tinyVisionTensors();
  await using folder = await folderOf(tensors);
  const { layers } = await readAll(folder.path);
  const values = (suffix: string) =>
    QKV.flatMap((name) => [...new Float32Array(tensors[`${name}.${suffix}`]?.data.buffer ?? new ArrayBuffer(0))]);
  expect([...(layers[0]?.qkv.weight ?? [])]).toEqual(values("weight"));
  expect([...(layers[0]?.qkv.bias ?? [])]).toEqual(values("bias"));
});

test("a bias of the adapter and the projector is read where there is one", async () => {
  const tensors = tinyVisionTensors();
  await using without = await folderOf(tensors);
  expect((await readAll(without.path)).exit.projector.bias).toBeNull();
  const size = tensors["multi_modal_projector.linear_1.weight"]?.shape[0] ?? 0;
  const bias = f32Tensor(
    [size],
    Array.from({ length: size }, (_, i) => i),
  );
  await using withOne = await folderOf({ ...tensors, "multi_modal_projector.linear_1.bias": bias });
  expect((await readAll(withOne.path)).exit.projector.bias).toEqual(Float32Array.from({ length: size }, (_, i) => i));
});

test("an FP8 Linear is scaled by output, or by one scale for all", async () => {
  const name = "vision_model.model.layers.0.mlp.fc1.weight";
  const tensors = tinyVisionTensors();
  const [outSize = 0, inSize = 0] = tensors[name]?.shape ?? [];
  // 0x38 is 1 in e4m3.
  const ones = { dtype: "F8_E4M3", shape: [outSize, inSize], data: new Uint8Array(outSize * inSize).fill(0x38) };
  const perOutput = f32Tensor(
    [outSize, 1],
    Array.from({ length: outSize }, (_, i) => i + 0.5),
  );
  await using folder = await folderOf({ ...tensors, [name]: ones, [`${name}_scale`]: perOutput });
  const { layers } = await readAll(folder.path);
  const expected = Float32Array.from({ length: outSize * inSize }, (_, i) => Math.floor(i / inSize) + 0.5);
  expect(layers[0]?.fc1.weight).toEqual(expected);
  await using one = await folderOf({ ...tensors, [name]: ones, [`${name}_scale`]: f32Tensor([1], [3]) });
  expect((await readAll(one.path)).layers[0]?.fc1.weight).toEqual(new Float32Array(outSize * inSize).fill(3));
});

test("a tensor that is missing or has another shape is refused, and the error names it", async () => {
  for (const name of Object.keys(tinyVisionTensors())) {
    const { [name]: tensor, ...others } = tinyVisionTensors();
    await using lacking = await folderOf(others);
    await expect(readAll(lacking.path)).rejects.toThrow(name);
    const wrong = f32Tensor([...(tensor?.shape ?? []), 1], new Float32Array((tensor?.data.byteLength ?? 0) / 4));
    await using misshapen = await folderOf({ ...others, [name]: wrong });
    await expect(readAll(misshapen.path)).rejects.toThrow(`model.safetensors: tensor ${name} has shape`);
  }
});

test("scales of another shape are refused, and the error names them", async () => {
  const name = "vision_model.vision_adapter.mlp.fc2.weight";
  const tensors = tinyVisionTensors();
  const shape = tensors[name]?.shape ?? [];
  const fp8 = { dtype: "F8_E4M3", shape, data: new Uint8Array(shape.reduce((a, b) => a * b, 1)) };
  await using folder = await folderOf({ ...tensors, [name]: fp8, [`${name}_scale`]: f32Tensor([2], [1, 1]) });
  await expect(readAll(folder.path)).rejects.toThrow(`tensor ${name}_scale has shape [2]`);
});

test("a checkpoint whose encoder was left out has no vision tensors", async () => {
  await using whole = await folderOf(tinyVisionTensors());
  await using checkpoint = await openCheckpoint(whole.path);
  expect(hasVisionTensors(checkpoint)).toBe(true);
  await using textOnly = await folderOf({ "language_model.model.norm.weight": f32Tensor([8], new Float32Array(8)) });
  await using other = await openCheckpoint(textOnly.path);
  expect(hasVisionTensors(other)).toBe(false);
});

import { expect, test } from "vitest";
import { loadModelConfig } from "../config/model-config.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { TextWeights } from "../tensors/text-weights.ts";
import { releasedStyle } from "../testing/configs.ts";
import { scaled } from "../testing/stored-forms.ts";
import { wholeModel } from "../testing/whole-model.ts";
import { bf16Tensor, safetensorsBytes, type TestTensor, temporaryFolder } from "../testing/write-safetensors.ts";
import { checkModel } from "./check-model.ts";

const HIDDEN = releasedStyle.hidden_size;
const OUTPUT = "language_model.model.layers.2.self_attn.o_proj";
const EXPERTS = "language_model.model.layers.1.feed_forward.experts.down_proj";
const NORM = "language_model.model.norm.weight";

/** The small model with one Linear and one layer's experts in FP8, each output with a scale of its own. */
function scaledModel(): Record<string, TestTensor> {
  const tensors = wholeModel();
  const width = releasedStyle.num_attention_heads * releasedStyle.head_dim;
  const { weight, weight_scale } = scaled(HIDDEN, width, { numbers: "fp8", strategy: "channel" }, 3).tensors;
  const [count, expertWidth] = [releasedStyle.num_local_experts, releasedStyle.intermediate_size];
  const experts = new Uint8Array(count * expertWidth * HIDDEN).fill(0x38);
  return {
    ...tensors,
    ...(weight && weight_scale && { [`${OUTPUT}.weight`]: weight, [`${OUTPUT}.weight_scale`]: weight_scale }),
    [EXPERTS]: { dtype: "F8_E4M3", shape: [count, expertWidth, HIDDEN], data: experts },
    [`${EXPERTS}_scale`]: bf16Tensor([count, 1, HIDDEN], Array(count * HIDDEN).fill(1)),
  };
}

function folderOf(tensors: Record<string, TestTensor>) {
  return temporaryFolder({
    "config.json": JSON.stringify(releasedStyle),
    "model.safetensors": safetensorsBytes(tensors),
  });
}

/** The same tensor with its last number replaced, of 16 bits. */
function spoiled(tensor: TestTensor | undefined, bits: number): TestTensor {
  if (tensor === undefined) throw new Error("there is no such tensor");
  const data = tensor.data.slice();
  new DataView(data.buffer).setUint16(data.byteLength - 2, bits, true);
  return { ...tensor, data };
}

test("scales that are finite pass", async () => {
  await using folder = await folderOf(scaledModel());
  await checkModel(folder.path);
});

test.each([
  ["of a Linear, NaN", `${OUTPUT}.weight_scale`, 0x7fc0, "NaN"],
  ["of an expert, infinite", `${EXPERTS}_scale`, 0xff80, "-Infinity"],
  ["of a norm, NaN", NORM, 0x7fc0, "NaN"],
])("a scale %s, is refused before anything is served, by its file and tensor", async (_, name, bits, number) => {
  const tensors = scaledModel();
  await using folder = await folderOf({ ...tensors, [name]: spoiled(tensors[name], bits) });
  await expect(checkModel(folder.path)).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringMatching(
      new RegExp(`^model.safetensors: tensor ${name} has ${number} among its numbers: it is damaged; download`),
    ),
  });
});

test("a norm that is no number is refused by who reads it", async () => {
  const tensors = wholeModel();
  await using folder = await folderOf({ ...tensors, [NORM]: spoiled(tensors[NORM], 0x7fc0) });
  await using checkpoint = await openCheckpoint(folder.path);
  const weights = new TextWeights(checkpoint, await loadModelConfig(folder.path));
  await expect(weights.vector("model.norm.weight")).rejects.toThrow(/tensor \S+norm.weight has NaN among its numbers/);
});

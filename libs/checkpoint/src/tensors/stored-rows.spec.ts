import { join } from "node:path";
import { expect, test } from "vitest";
import { loadModelConfig } from "../config/model-config.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { toF32 } from "../files/dtype.ts";
import { repository, shared, withoutReferenceData } from "../testing/reference-data.ts";
import { type LinearRows, sliceRows, stackRows } from "./linear-rows.ts";
import { TextWeights } from "./text-weights.ts";

/** The numbers of rows as they are stored, times their scales. */
async function valuesOf({ stored, inSize }: LinearRows, first: number, count: number): Promise<Float32Array> {
  if (stored === undefined) throw new Error("the rows are stored alike");
  const values = toF32(await stored.read(first, count), stored.dtype).slice();
  expect(values.length).toBe(count * inSize);
  const { scales } = stored;
  return scales === undefined
    ? values
    : values.map((value, at) => value * (scales[first + Math.floor(at / inSize)] ?? 0));
}

async function sameNumbers(directory: string, layer: number): Promise<void> {
  const config = await loadModelConfig(directory);
  await using checkpoint = await openCheckpoint(directory);
  const weights = new TextWeights(checkpoint, config);
  const attention = `model.layers.${layer}.self_attn`;
  const { gateUp, down } = await weights.expertRows(layer, 1);
  const qkv: LinearRows[] = [];
  for (const part of ["q_proj", "k_proj", "v_proj"]) qkv.push(await weights.linearRows(`${attention}.${part}`));
  const stacked = stackRows(qkv);
  for (const rows of [gateUp, down, stacked, sliceRows(stacked, 3, 290), await weights.embeddingRows()])
    for (const [first, count] of [
      [0, 5],
      [rows.outSize - 7, 7],
    ] as const)
      expect(await valuesOf(rows, first, count)).toEqual(await rows.read(first, count));
  const across = config.headCount * config.headDim - 2;
  expect(await valuesOf(stacked, across, 4)).toEqual(await stacked.read(across, 4));
}

test("rows as they are stored, times their scales, are the rows that are computed with", async () => {
  await sameNumbers(join(repository, "models/nano"), 1);
});

test.skipIf(withoutReferenceData)("in fused experts too (needs ../shared)", async () => {
  await sameNumbers(join(shared, "nano"), 1);
  await sameNumbers(join(shared, "nano-fp8"), 3);
});

test("rows that are stored in different ways have no stored form together", async () => {
  const directory = join(repository, "models/nano");
  const config = await loadModelConfig(directory);
  await using checkpoint = await openCheckpoint(directory);
  const weights = new TextWeights(checkpoint, config);
  const bf16 = await weights.linearRows("model.layers.1.self_attn.k_proj");
  const f8 = await weights.linearRows("model.layers.1.feed_forward.shared_expert.gate_proj");
  expect([bf16.stored?.dtype, f8.stored?.dtype]).toEqual(["BF16", "F8_E4M3"]);
  expect(stackRows([bf16, f8]).stored).toBeUndefined();
});

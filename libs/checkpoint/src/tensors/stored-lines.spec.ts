import { join } from "node:path";
import { expect, test } from "vitest";
import { loadModelConfig } from "../config/model-config.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { toF32 } from "../files/dtype.ts";
import { repository, shared, withoutReferenceData } from "../testing/reference-data.ts";
import { type LinearRows, sliceRows, stackRows } from "./linear-rows.ts";
import { TextWeights } from "./text-weights.ts";

/** All weights of rows of floats, [out, in], from their lines and scales. */
async function weightsOf({ stored, outSize, inSize }: LinearRows): Promise<Float32Array> {
  if (stored === undefined) throw new Error("the rows are stored alike");
  const { form, isTransposed, lineCount, lineBytes, groupSize } = stored;
  if (form === "U4" || form === "U8" || form === "I8" || form === "E2M1") throw new Error("the rows are floats");
  const bytes = new Uint8Array(lineCount * lineBytes);
  // In two parts, neither of which begins or ends with what was stacked.
  const cut = Math.floor(lineCount / 3) * lineBytes;
  await stored.fill(0, bytes.subarray(0, cut));
  await stored.fill(cut / lineBytes, bytes.subarray(cut));
  const numbers = toF32(bytes, form);
  const scales = await stored.scales();
  const groupCount = groupSize === 0 ? 0 : Math.ceil(inSize / groupSize);
  expect(scales.length).toBe(outSize * groupCount);
  return Float32Array.from({ length: outSize * inSize }, (_, at) => {
    const [out, input] = [Math.floor(at / inSize), at % inSize];
    const number = numbers[isTransposed ? input * outSize + out : at] ?? Number.NaN;
    return groupSize === 0 ? number : number * (scales[out * groupCount + Math.floor(input / groupSize)] ?? Number.NaN);
  });
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
    expect(await weightsOf(rows)).toEqual(await rows.read(0, rows.outSize));
}

test("lines as they are stored, times their scales, are the rows that are computed with", async () => {
  await sameNumbers(join(repository, "models/nano"), 1);
});

test.skipIf(withoutReferenceData)("in fused experts too, whose lines are transposed (needs ../shared)", async () => {
  await sameNumbers(join(shared, "nano"), 1);
  await sameNumbers(join(shared, "nano-fp8"), 3);
});

test("rows that are stored in different ways have no lines together", async () => {
  const directory = join(repository, "models/nano");
  const config = await loadModelConfig(directory);
  await using checkpoint = await openCheckpoint(directory);
  const weights = new TextWeights(checkpoint, config);
  const bf16 = await weights.linearRows("model.layers.1.self_attn.k_proj");
  const f8 = await weights.linearRows("model.layers.1.feed_forward.shared_expert.gate_proj");
  expect([bf16.stored?.form, f8.stored?.form]).toEqual(["BF16", "F8_E4M3"]);
  expect(stackRows([bf16, f8]).stored).toBeUndefined();
});

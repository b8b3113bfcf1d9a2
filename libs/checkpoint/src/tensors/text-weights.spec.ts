import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { loadModelConfig } from "../config/model-config.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { releasedStyle } from "../testing/configs.ts";
import { repository, shared, withoutReferenceData } from "../testing/reference-data.ts";
import {
  bf16Tensor,
  f32Tensor,
  safetensorsBytes,
  type TestTensor,
  temporaryFolder,
} from "../testing/write-safetensors.ts";
import { TextWeights } from "./text-weights.ts";

const D = releasedStyle.hidden_size;
const F = releasedStyle.intermediate_size;
const E = releasedStyle.num_local_experts;
const EXPERTS = "model.layers.1.feed_forward.experts";

/** Small whole numbers, which every format holds exactly. */
const ramp = (count: number, first = 0) => Array.from({ length: count }, (_, i) => ((first + i) % 15) - 7);
/** Their float8_e4m3fn bytes: sign, exponent with bias 7, three bits of fraction. */
const F8_OF = new Map(
  [0, 1, 2, 3, 4, 5, 6, 7].map((n, i) => [n, [0, 0x38, 0x40, 0x44, 0x48, 0x4a, 0x4c, 0x4e][i] ?? 0]),
);
const f8 = (shape: number[], values: readonly number[]): TestTensor => ({
  dtype: "F8_E4M3",
  shape,
  data: Uint8Array.from(values, (value) => (F8_OF.get(Math.abs(value)) ?? 0) | (value < 0 ? 0x80 : 0)),
});
const gateUp = ramp(E * D * 2 * F);
const down = ramp(E * F * D, 4);
const gateUpScale = Array.from({ length: E * 2 * F }, (_, i) => 0.5 + i);
const downScale = Array.from({ length: E * D }, (_, i) => 0.25 + i);

const fused = {
  "model.norm.weight": bf16Tensor([D], ramp(D)),
  [`${EXPERTS}.gate_up_proj`]: bf16Tensor([E, D, 2 * F], gateUp),
  [`${EXPERTS}.down_proj`]: bf16Tensor([E, F, D], down),
};
const fusedFp8 = {
  [`${EXPERTS}.gate_up_proj`]: f8([E, D, 2 * F], gateUp),
  [`${EXPERTS}.gate_up_proj_scale`]: f32Tensor([E, 1, 2 * F], gateUpScale),
  [`${EXPERTS}.down_proj`]: f8([E, F, D], down),
  [`${EXPERTS}.down_proj_scale`]: f32Tensor([E, D, 1], downScale),
};

/** Expert e straight from the definition: y = z W for the fused matrix, times the scale of the output. */
function expected(e: number, scaled: boolean) {
  const column = (out: number, i: number) =>
    (gateUp[(e * D + i) * 2 * F + out] ?? 0) * (scaled ? (gateUpScale[e * 2 * F + out] ?? 0) : 1);
  const ofGateUp = Float32Array.from({ length: 2 * F * D }, (_, at) => column(Math.floor(at / D), at % D));
  const ofDown = Float32Array.from({ length: D * F }, (_, at) => {
    const [out, i] = [Math.floor(at / F), at % F];
    return (down[(e * F + i) * D + out] ?? 0) * (scaled ? (downScale[e * D + out] ?? 0) : 1);
  });
  return { gateUp: ofGateUp, down: ofDown };
}

async function open(tensors: Record<string, TestTensor>, changes: Record<string, unknown> = {}) {
  const folder = await temporaryFolder({
    "config.json": JSON.stringify({ ...releasedStyle, ...changes }),
    "model.safetensors": safetensorsBytes(tensors),
  });
  const checkpoint = await openCheckpoint(folder.path);
  return {
    checkpoint,
    weights: new TextWeights(checkpoint, await loadModelConfig(folder.path)),
    async [Symbol.asyncDispose]() {
      await checkpoint[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("an expert is in Linear layout whatever the file has, with its scales on its outputs", async () => {
  await using plain = await open(fused);
  await using scaled = await open(fusedFp8);
  for (let e = 0; e < E; e++) {
    expect(await plain.weights.expert(1, e)).toEqual(expected(e, false));
    expect(await scaled.weights.expert(1, e)).toEqual(expected(e, true));
  }
});

test("an expert of one tensor a Linear is the same, scaled by output or as a whole", async () => {
  const { gateUp: both, down: ofDown } = expected(2, false);
  const [gate, up] = [both.subarray(0, F * D), both.subarray(F * D)];
  await using it = await open({
    [`${EXPERTS}.2.gate_proj.weight`]: f8([F, D], [...gate]),
    [`${EXPERTS}.2.gate_proj.weight_scale`]: bf16Tensor([F, 1], Array(F).fill(0.5)),
    [`${EXPERTS}.2.up_proj.weight`]: f8([F, D], [...up]),
    [`${EXPERTS}.2.up_proj.weight_scale`]: f32Tensor([1], [4]),
    [`${EXPERTS}.2.down_proj.weight`]: bf16Tensor([D, F], ofDown),
  });
  expect(await it.weights.expert(1, 2)).toEqual({
    gateUp: both.map((w, at) => (at < F * D ? w / 2 : w * 4)),
    down: ofDown,
  });
});

test("reading an expert touches its own bytes and no others", async () => {
  await using it = await open({ ...fusedFp8, "model.norm.weight": fused["model.norm.weight"] as TestTensor });
  const read = vi.spyOn(it.checkpoint, "readBytes");
  await it.weights.expert(1, 1);
  const ranges = read.mock.calls.map(([name, start = 0, count = 0]) => [name, start, count]);
  expect(ranges.sort()).toEqual([
    [`${EXPERTS}.down_proj`, F * D, F * D],
    [`${EXPERTS}.down_proj_scale`, 4 * D, 4 * D],
    [`${EXPERTS}.gate_up_proj`, D * 2 * F, D * 2 * F],
    [`${EXPERTS}.gate_up_proj_scale`, 4 * 2 * F, 4 * 2 * F],
  ]);
});

test("names are found with and without the prefix of a whole model", async () => {
  const prefixed = Object.fromEntries(
    Object.entries(fused).map(([name, tensor]) => [`language_model.${name}`, tensor]),
  );
  await using bare = await open(fused);
  await using whole = await open(prefixed);
  expect(await whole.weights.expert(1, 0)).toEqual(await bare.weights.expert(1, 0));
  expect([...(await whole.weights.vector("model.norm.weight"))]).toEqual(ramp(D));
});

test("a tied head is the embedding, and rows are gathered in order", async () => {
  const vocabSize = releasedStyle.vocab_size;
  const table = bf16Tensor([vocabSize, D], ramp(vocabSize * D));
  await using it = await open({ "model.embed_tokens.weight": table }, { tie_word_embeddings: true });
  const head = await it.weights.linear("lm_head");
  const embedding = await it.weights.embedding();
  const out = new Float32Array(3 * D).fill(9);
  embedding.gather(Int32Array.of(31, 2), out, 1);
  expect([...out]).toEqual([...Array(D).fill(9), ...head.subarray(31 * D, 32 * D), ...head.subarray(2 * D, 3 * D)]);
  expect(() => embedding.gather(Int32Array.of(32), out, 0)).toThrow(/vocabulary/);
});

test("missing, misshapen and mistyped tensors are refused by file and tensor", async () => {
  await using it = await open({
    "model.embed_tokens.weight": f8([32, D], ramp(32 * D)),
    "model.norm.weight": f32Tensor([D + 1], ramp(D + 1)),
    "model.layers.0.self_attn.q_proj.weight": { dtype: "I8", shape: [16, D], data: new Uint8Array(16 * D) },
    "model.layers.0.self_attn.k_proj.weight": f8([8, D], ramp(8 * D)),
    "model.layers.0.self_attn.v_proj.weight": f8([8, D], ramp(8 * D)),
    "model.layers.0.self_attn.v_proj.weight_scale": f32Tensor([2], [1, 1]),
    [`${EXPERTS}.gate_up_proj`]: f8([E, D, 2 * F], gateUp),
    [`${EXPERTS}.gate_up_proj_scale`]: f32Tensor([E, 2 * F, 1], gateUpScale),
  });
  const attention = "model.layers.0.self_attn";
  await expect(it.weights.linear("lm_head")).rejects.toThrow(/has no tensor lm_head.weight/);
  await expect(it.weights.vector("model.norm.weight")).rejects.toThrow(
    /model.safetensors: tensor model.norm.weight has shape \[9\] where config.json makes it \[8\]/,
  );
  await expect(it.weights.linear(`${attention}.q_proj`)).rejects.toThrow(/q_proj.weight is I8/);
  await expect(it.weights.linear(`${attention}.k_proj`)).rejects.toThrow(/no tensor .*k_proj.weight_scale/);
  await expect(it.weights.linear(`${attention}.v_proj`)).rejects.toThrow(/v_proj.weight_scale has shape \[2\]/);
  await expect(it.weights.embedding()).rejects.toThrow(/embed_tokens.weight is F8_E4M3/);
  await expect(it.weights.expert(1, 0)).rejects.toThrow(/gate_up_proj_scale has shape \[3,12,1\]/);
  await expect(it.weights.expert(3, 0)).rejects.toThrow(/no tensor model.layers.3.feed_forward.experts.0.gate_proj/);
});

/** The greatest distance in units of what float8_e4m3 may lose: half a step of its fraction, or of its smallest number. */
function worstLoss(original: Float32Array, quantized: Float32Array, inSize: number): number {
  expect(quantized.length).toBe(original.length);
  let worst = 0;
  for (let at = 0; at < original.length; at += inSize) {
    const row = original.subarray(at, at + inSize);
    const scale = row.reduce((max, w) => Math.max(max, Math.abs(w)), 0) / 448;
    for (const [i, w] of row.entries()) {
      const loss = Math.abs(w - (quantized[at + i] ?? 0)) / Math.max(Math.abs(w) / 16, scale * 2 ** -10);
      worst = Math.max(worst, loss);
    }
  }
  return worst;
}

describe.skipIf(withoutReferenceData)("the three formats of nano (needs ../shared)", () => {
  const openNano = async (directory: string) => {
    const checkpoint = await openCheckpoint(directory);
    return { checkpoint, weights: new TextWeights(checkpoint, await loadModelConfig(directory)) };
  };

  test.each([join(repository, "models/nano"), join(shared, "nano-fp8")])(
    "%s holds the bf16 model's weights",
    async (directory) => {
      const original = await openNano(join(shared, "nano"));
      const quantized = await openNano(directory);
      await using _a = original.checkpoint;
      await using _b = quantized.checkpoint;
      for (const [layer, e] of [
        [1, 0],
        [3, 64],
        [5, 10],
        [7, 127],
      ] as const) {
        const one = await original.weights.expert(layer, e);
        const two = await quantized.weights.expert(layer, e);
        // A scale rounded to bf16 shifts the grid by 2^-9.
        expect(worstLoss(one.gateUp, two.gateUp, 256)).toBeLessThan(1.01);
        expect(worstLoss(one.down, two.down, 64)).toBeLessThan(1.01);
      }
      for (const name of ["lm_head", "model.layers.3.self_attn.q_proj", "model.layers.1.feed_forward.router"])
        expect(await quantized.weights.linear(name)).toEqual(await original.weights.linear(name));
      const dense = "model.layers.2.feed_forward.down_proj";
      expect(worstLoss(await original.weights.linear(dense), await quantized.weights.linear(dense), 768)).toBeLessThan(
        1.01,
      );
    },
  );
});

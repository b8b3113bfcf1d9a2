import { dequantizeLinear, type Quantization, quantizeLinear } from "@drover/checkpoint";
import { expect, test } from "vitest";
import { FLAT_OUTPUT } from "./graphs/blocks.ts";
import { expertGraph } from "./graphs/stages.ts";
import { f32, Session } from "./session.ts";

const values = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed * 78.233) * Math.cos(i * 0.31));

/** An expert of D inputs and width F, quantized, and the f32 expert that it stands for. */
function experts(hiddenSize: number, expertWidth: number, quantization: Quantization) {
  const gateUp = quantizeLinear(values(2 * expertWidth * hiddenSize, 1), 2 * expertWidth, hiddenSize, quantization);
  const down = quantizeLinear(values(hiddenSize * expertWidth, 2), hiddenSize, expertWidth, quantization);
  const dims = {
    hiddenSize,
    expertWidth,
    denseWidth: expertWidth,
    headCount: 1,
    kvHeadCount: 1,
    headDim: 8,
    expertCount: 1,
    vocabSize: 8,
    rmsNormEps: 1e-5,
    useQkNorm: false,
  };
  const plain = {
    gateUp: { kind: "f32" as const, data: dequantizeLinear(gateUp, 2 * expertWidth, hiddenSize) },
    down: { kind: "f32" as const, data: dequantizeLinear(down, hiddenSize, expertWidth) },
  };
  const session = (weights: typeof plain | { gateUp: typeof gateUp; down: typeof down }) =>
    new Session("expert", expertGraph(dims, weights), FLAT_OUTPUT, { threads: 1 });
  return { quantized: session({ gateUp, down }), plain: session(plain) };
}

const settings = ([4, 8] as const).flatMap((bits) =>
  ([32, 64, 128] as const).map((blockSize) => ({ bits, blockSize })),
);
const sizes = [
  [256, 64],
  [40, 24],
  [128, 200],
  [72, 136],
] as const;

test.each(settings)(
  "a graph of $bits bits in blocks of $blockSize computes with the weights that were quantized",
  (setting) => {
    for (const [d, f] of sizes) {
      const { quantized, plain } = experts(d, f, setting);
      using _a = quantized;
      using _b = plain;
      const rowCount = 5;
      const z = values(rowCount * d, 3);
      const found = quantized.runFlat({ z: f32(z, [rowCount, d]) });
      const expected = plain.runFlat({ z: f32(z, [rowCount, d]) });
      // Inputs are rounded to 8 bits by block: an error of at most 1/254 of the largest one each, and independent of one another.
      const size = Math.sqrt(expected.reduce((sum, y) => sum + y * y, 0) / expected.length);
      const error = Math.sqrt(expected.reduce((sum, y, i) => sum + (y - (found[i] ?? 0)) ** 2, 0) / expected.length);
      expect(size).toBeGreaterThan(0);
      expect(error / size).toBeLessThan(0.02);
    }
  },
);

test.each(settings)(
  "a row's result does not depend on the rows beside it, with $bits bits in blocks of $blockSize",
  (setting) => {
    for (const [d, f] of sizes) {
      const { quantized, plain } = experts(d, f, setting);
      using _a = quantized;
      using _b = plain;
      // The others are a hundred times larger: one scale for all of them would drown the row.
      const rows = values(33 * d, 4).map((x, i) => (i < d ? x : 100 * x));
      const alone = quantized.runFlat({ z: f32(rows.subarray(0, d), [1, d]) });
      for (const count of [2, 7, 33]) {
        const together = quantized.runFlat({ z: f32(rows.subarray(0, count * d), [count, d]) });
        const peak = alone.reduce((most, y) => Math.max(most, Math.abs(y)), 0);
        for (const [i, y] of alone.entries()) expect(Math.abs(y - (together[i] ?? 0))).toBeLessThan(1e-5 * peak);
      }
    }
  },
);

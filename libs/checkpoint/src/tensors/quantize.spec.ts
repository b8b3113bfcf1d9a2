import fc from "fast-check";
import { expect, test } from "vitest";
import { linearBytes, type Quantization } from "./quantization.ts";
import { dequantizeLinear, quantizeLinear } from "./quantize.ts";

const settings: Quantization[] = ([4, 8] as const).flatMap((bits) =>
  ([32, 64, 128] as const).map((blockSize) => ({ bits, blockSize })),
);
const weights = fc.record({
  setting: fc.constantFrom(...settings),
  outSize: fc.integer({ min: 1, max: 5 }),
  inSize: fc.integer({ min: 1, max: 300 }),
  seed: fc.integer(),
});
/** Rows of very different sizes. */
const drawn = (outSize: number, inSize: number, seed: number) =>
  Float32Array.from({ length: outSize * inSize }, (_, i) => {
    const x = Math.sin(i * 12.9898 + seed * 1.233);
    return x ** 3 * 10 ** (Math.floor(i / inSize) - 2);
  });

test("every weight comes back within a step of its block, whatever the shape", () => {
  fc.assert(
    fc.property(weights, ({ setting, outSize, inSize, seed }) => {
      const weight = drawn(outSize, inSize, seed);
      const quantized = quantizeLinear(weight, outSize, inSize, setting);
      const back = dequantizeLinear(quantized, outSize, inSize);
      const blockCount = Math.ceil(inSize / setting.blockSize);
      for (const [i, w] of weight.entries()) {
        const block = Math.floor(i / inSize) * blockCount + Math.floor((i % inSize) / setting.blockSize);
        const step = Math.abs(quantized.scales[block] ?? 0);
        expect(Math.abs(w - (back[i] ?? 0))).toBeLessThanOrEqual(step * 1.001);
      }
    }),
  );
});

test("the bytes of a quantized Linear are those that are foretold from its shape", () => {
  fc.assert(
    fc.property(weights, ({ setting, outSize, inSize, seed }) => {
      const { packed, scales } = quantizeLinear(drawn(outSize, inSize, seed), outSize, inSize, setting);
      expect(packed.byteLength + scales.byteLength).toBe(linearBytes(outSize, inSize, setting));
    }),
  );
  expect(linearBytes(3, 5, null)).toBe(60);
});

test("rows are quantized by themselves: in parts they come out as in one piece", () => {
  fc.assert(
    fc.property(weights, ({ setting, outSize, inSize, seed }) => {
      const weight = drawn(outSize, inSize, seed);
      const whole = quantizeLinear(weight, outSize, inSize, setting);
      const parts = Array.from({ length: outSize }, (_, row) =>
        quantizeLinear(weight.subarray(row * inSize, (row + 1) * inSize), 1, inSize, setting),
      );
      expect(parts.flatMap(({ packed }) => [...packed])).toEqual([...whole.packed]);
      expect(parts.flatMap(({ scales }) => [...scales])).toEqual([...whole.scales]);
    }),
  );
});

test("what fills up a short block stands for zero, and a block of zeros for zeros", () => {
  const four = quantizeLinear(new Float32Array(3).fill(2), 1, 3, { bits: 4, blockSize: 32 });
  expect([...four.packed.subarray(2)]).toEqual(Array(14).fill(0x88));
  expect((four.packed[1] ?? 0) >> 4).toBe(8);
  const eight = quantizeLinear(new Float32Array(40), 1, 40, { bits: 8, blockSize: 32 });
  expect([...eight.packed]).toEqual(Array(64).fill(128));
  expect([...dequantizeLinear(eight, 1, 40)]).toEqual(Array(40).fill(0));
});

test("more bits and smaller blocks lose less", () => {
  const weight = drawn(4, 256, 7);
  const loss = (setting: Quantization) => {
    const back = dequantizeLinear(quantizeLinear(weight, 4, 256, setting), 4, 256);
    return weight.reduce((sum, w, i) => sum + (w - (back[i] ?? 0)) ** 2, 0);
  };
  const losses = settings.map(loss);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = losses;
  expect(a).toBeLessThan(b);
  expect(b).toBeLessThan(c);
  expect(d).toBeLessThan(e);
  expect(e).toBeLessThan(f);
  expect(f).toBeLessThan(a);
});

test("weights that are 4-bit codes times a scale a block keep both, where a block has its range's end: 7, -7 or -8", () => {
  const code = fc.integer({ min: -7, max: 7 });
  const block = fc.tuple(
    fc.array(code, { minLength: 31, maxLength: 31 }),
    fc.constantFrom(7, -7, -8),
    fc.integer({ min: 1, max: 255 }),
  );
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 6 }), (blocks) => {
      // Scales as bf16 holds them.
      const weight = Float32Array.from(
        blocks.flatMap(([codes, end, scale]) => [...codes, end].map((one) => (one * scale) / 4096)),
      );
      const quantized = quantizeLinear(weight, 1, weight.length, { bits: 4, blockSize: 32 });
      const again = dequantizeLinear(quantized, 1, weight.length);
      // Zeros have no sign in codes.
      expect(again.map((value) => value + 0)).toEqual(weight.map((value) => value + 0));
    }),
    { seed: 5 },
  );
});

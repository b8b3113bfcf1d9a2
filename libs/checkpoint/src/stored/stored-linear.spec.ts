import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StoredForms } from "../config/stored-forms.ts";
import { PLAIN_FORMS } from "../config/stored-forms.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { readAllRows } from "../tensors/linear-rows.ts";
import { nvfp4, packQuantized, scaled, type WrittenLinear } from "../testing/stored-forms.ts";
import {
  bf16Tensor,
  f32Tensor,
  safetensorsBytes,
  type TestTensor,
  temporaryFolder,
} from "../testing/write-safetensors.ts";
import { matrixRows } from "./matrix-rows.ts";
import { storedLinear } from "./stored-linear.ts";

const PATH = "model.layers.0.self_attn.q_proj";

/** Reads a Linear that was written, whole and some rows of it. */
async function read(
  tensors: Record<string, TestTensor>,
  shape: [number, number],
  forms: Partial<StoredForms>,
  rows: [number, number],
) {
  const named = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${PATH}.${name}`, tensor]));
  await using folder = await temporaryFolder({ "config.json": "{}", "model.safetensors": safetensorsBytes(named) });
  await using checkpoint = await openCheckpoint(folder.path);
  const linear = await matrixRows(checkpoint, storedLinear(checkpoint, PATH, ...shape, { ...PLAIN_FORMS, ...forms }));
  return { whole: await readAllRows(linear), some: await linear.read(...rows) };
}

const seeds = fc.nat(1_000_000);
const part = (outSize: number, at: number): [number, number] => {
  const first = Math.floor(at * (outSize - 1));
  return [first, Math.max(1, Math.floor((outSize - first) / 2))];
};

async function expectRead(written: WrittenLinear, shape: [number, number], forms: Partial<StoredForms>, at: number) {
  const rows = part(shape[0], at);
  const { whole, some } = await read(written.tensors, shape, forms, rows);
  expect(whole).toEqual(written.weight);
  expect(some).toEqual(written.weight.subarray(rows[0] * shape[1], (rows[0] + rows[1]) * shape[1]));
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const runs = { numRuns: 25, seed: 11 };

describe("a Linear is what its form says, to the last bit, read whole or in part", () => {
  test("packed integers, in groups or by outputs, symmetric or with zero points, in any order of inputs", async () => {
    const options = fc.record({
      bits: fc.constantFrom(4 as const, 8 as const),
      groupSize: fc.constantFrom(0, 32, 64, 128),
      isAsymmetric: fc.boolean(),
      isReordered: fc.boolean(),
    });
    const law = fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 3 }),
      options,
      share,
      seeds,
      async (outSize, groups, how, at, seed) => {
        const inSize = how.groupSize === 0 ? 24 * groups : how.groupSize * groups;
        const written = packQuantized(outSize, inSize, how, seed);
        await expectRead(
          written,
          [outSize, inSize],
          { bits: [how.bits], groupSizes: how.groupSize === 0 ? [] : [how.groupSize] },
          at,
        );
        // What config.json says is not needed where shapes say it.
        if (inSize >= 8) await expectRead(written, [outSize, inSize], {}, at);
      },
    );
    await fc.assert(law, runs);
  });

  test("FP8 and int8 by tensor, output, group or block, and int8 with zero points", async () => {
    const strategies = fc.constantFrom("tensor" as const, "channel" as const, "group" as const, "block" as const);
    const law = fc.asyncProperty(
      fc.integer({ min: 2, max: 40 }),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom("fp8" as const, "int8" as const),
      strategies,
      share,
      seeds,
      async (outSize, groups, numbers, strategy, at, seed) => {
        const inSize = strategy === "block" ? 5 + 13 * groups : 32 * groups;
        const block = [16, 8] as const;
        const isAsymmetric = numbers === "int8" && seed % 2 === 0;
        const scaleName = numbers === "fp8" && strategy === "block" ? "weight_scale_inv" : "weight_scale";
        const written = scaled(outSize, inSize, { numbers, strategy, block, scaleName, isAsymmetric }, seed);
        const forms = strategy === "block" ? { blocks: [block] } : strategy === "group" ? { groupSizes: [32] } : {};
        await expectRead(written, [outSize, inSize], forms, at);
      },
    );
    await fc.assert(law, { ...runs, numRuns: 50 });
  });

  test("NVFP4, whose second scale divides or multiplies", async () => {
    const makers = fc.constantFrom("compressed-tensors" as const, "modelopt" as const);
    const law = fc.asyncProperty(
      fc.integer({ min: 1, max: 24 }),
      fc.integer({ min: 1, max: 6 }),
      makers,
      share,
      seeds,
      async (outSize, groups, by, at, seed) =>
        expectRead(nvfp4(outSize, 16 * groups, by, seed), [outSize, 16 * groups], { groupSizes: [16] }, at),
    );
    await fc.assert(law, runs);
  });
});

describe("what could be read in two ways, or in none, is refused by file and tensor", () => {
  const packed = packQuantized(16, 64, { bits: 4, groupSize: 32, isAsymmetric: true, isReordered: true }, 3).tensors;
  const fp8 = scaled(16, 64, { numbers: "fp8", strategy: "channel" }, 3).tensors;
  const fp4 = nvfp4(16, 64, "compressed-tensors", 3).tensors;
  const modelopt = nvfp4(16, 64, "modelopt", 3).tensors;
  const without = (tensors: Record<string, TestTensor>, name: string) => {
    const { [name]: _, ...others } = tensors;
    return others;
  };
  const bf16 = (shape: number[]) => bf16Tensor(shape, new Array(shape.reduce((a, b) => a * b, 1)).fill(1));
  const order = (values: Iterable<number>) => ({
    dtype: "I32",
    shape: [64],
    data: new Uint8Array(Int32Array.from(values).buffer),
  });

  test.each<[string, Record<string, TestTensor>, Partial<StoredForms>, RegExp]>([
    ["a weight in two forms", { ...packed, weight: bf16([16, 64]) }, {}, /tensor \S+weight is beside \S+weight_packed/],
    ["two scales", { ...fp8, weight_scale_inv: bf16([16, 1]) }, {}, /weight_scale_inv is beside \S+weight_scale/],
    ["a packed weight without scales", without(packed, "weight_scale"), {}, /no tensor \S+weight_scale/],
    [
      "packed words of another width",
      packed,
      { bits: [8] },
      /weight_packed has shape \[16,8\] where config.json makes it \[16,16\]/,
    ],
    [
      "groups that do not divide the inputs",
      { ...packed, weight_scale: bf16([16, 3]) },
      {},
      /weight_scale has shape \[16,3\]/,
    ],
    [
      "groups of two sizes that both explain the scales",
      { ...packed, weight_scale: bf16([16, 2]) },
      { groupSizes: [32, 40] },
      /groups of more than one size/,
    ],
    [
      "blocks that config.json does not name",
      { ...fp8, weight_scale: f32Tensor([1, 2], [1, 1]) },
      {},
      /weight_scale has shape \[1,2\]/,
    ],
    [
      "an order that puts too many inputs into a group",
      { ...packed, weight_g_idx: order(Array(64).fill(0)) },
      {},
      /weight_g_idx does not put 32 inputs into each of 2 groups/,
    ],
    [
      "zero points of another shape",
      { ...packed, weight_zero_point: { dtype: "I32", shape: [3, 2], data: new Uint8Array(24) } },
      {},
      /weight_zero_point has shape/,
    ],
    ["NVFP4 without its second scale", without(fp4, "weight_global_scale"), {}, /no tensor \S+weight_global_scale/],
    ["bytes of which nothing says what they are", without(modelopt, "weight_scale_2"), {}, /weight is U8/],
    ["a second scale of zero", { ...modelopt, weight_scale_2: f32Tensor([], [0]) }, {}, /weight_scale_2 is zero/],
    [
      "a second scale that is infinite",
      { ...modelopt, weight_scale_2: f32Tensor([], [Number.POSITIVE_INFINITY]) },
      {},
      /weight_scale_2 has Infinity among its numbers/,
    ],
    [
      "a scale that is no number",
      { ...packed, weight_scale: bf16Tensor([16, 2], Array(32).fill(1).with(31, Number.NaN)) },
      {},
      /weight_scale has NaN among its numbers: it is damaged/,
    ],
    [
      "a second scale for each output",
      { ...modelopt, weight_scale_2: f32Tensor([16], Array(16).fill(1)) },
      {},
      /weight_scale_2 has shape \[16\]/,
    ],
    [
      "MXFP4, whose scales are exponents",
      {
        ...without(fp4, "weight_global_scale"),
        weight_scale: { dtype: "U8", shape: [16, 2], data: new Uint8Array(32) },
      },
      {},
      /weight_scale is U8/,
    ],
    [
      "scales in FP8 that are not NVFP4's",
      { ...fp8, weight_scale: { dtype: "F8_E4M3", shape: [16, 1], data: new Uint8Array(16) } },
      {},
      /weight_scale is F8_E4M3/,
    ],
  ])("%s", async (_, tensors, forms, message) => {
    await expect(read(tensors, [16, 64], forms, [0, 1])).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(message),
    });
  });
});

test("whatever shape or type a tensor has, a Linear is refused in one sentence or read whole", async () => {
  const written = [
    packQuantized(16, 64, { bits: 4, groupSize: 32, isAsymmetric: true, isReordered: true }, 7),
    packQuantized(16, 64, { bits: 8, groupSize: 0, isAsymmetric: true, isReordered: false }, 8),
    scaled(16, 64, { numbers: "int8", strategy: "group", isAsymmetric: true }, 9),
    scaled(16, 64, { numbers: "fp8", strategy: "block", block: [8, 16] }, 10),
    nvfp4(16, 64, "modelopt", 11),
    nvfp4(16, 64, "compressed-tensors", 12),
  ];
  const types = { F32: 4, BF16: 2, F8_E4M3: 1, I8: 1, U8: 1, I32: 4, I64: 8, BOOL: 1 };
  const lie = fc.record({
    form: fc.nat(written.length - 1),
    tensor: fc.nat(5),
    dtype: fc.option(fc.constantFrom(...(Object.keys(types) as (keyof typeof types)[])), { nil: undefined }),
    shape: fc.option(fc.array(fc.constantFrom(0, 1, 2, 4, 8, 16, 17, 32, 64), { maxLength: 4 }), { nil: undefined }),
    forms: fc.record({
      groupSizes: fc.subarray([1, 16, 32, 100]),
      blocks: fc.subarray([
        [8, 16],
        [3, 5],
        [128, 128],
      ] as [number, number][]),
      bits: fc.subarray([2, 4, 8]),
    }),
  });
  const law = fc.asyncProperty(lie, async ({ form, tensor, dtype, shape, forms }) => {
    const tensors = { ...written[form]?.tensors };
    const names = Object.keys(tensors);
    const name = names[tensor % names.length] ?? "";
    const old = tensors[name];
    if (old === undefined) throw new Error("the tensor is one that was written");
    const [type, sides] = [dtype ?? (old.dtype as keyof typeof types), shape ?? old.shape];
    const data = new Uint8Array(sides.reduce((a, b) => a * b, 1) * types[type]).map(
      (_, i) => old.data[i % old.data.length] ?? 0,
    );
    tensors[name] = { dtype: type, shape: sides, data };
    try {
      const { whole } = await read(tensors, [16, 64], forms, [3, 5]);
      expect(whole).toHaveLength(16 * 64);
    } catch (error) {
      expect(error).toMatchObject({
        code: "invalid_argument",
        message: expect.stringMatching(/^[\x20-\x7e]{10,400}$/),
      });
    }
  });
  await fc.assert(law, { numRuns: 400, seed: 21 });
});

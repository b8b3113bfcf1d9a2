import { describe, expect, test } from "vitest";
import { PLAIN_FORMS, type StoredForms } from "../config/stored-forms.ts";
import { openCheckpoint } from "../files/checkpoint.ts";
import { readAllRows } from "../tensors/linear-rows.ts";
import { bytesTensor, codes, E2M1, E4M3, e4m3Code, scalesOf } from "../testing/stored-forms.ts";
import { f32Tensor, safetensorsBytes, type TestTensor, temporaryFolder } from "../testing/write-safetensors.ts";
import { matrixRows } from "./matrix-rows.ts";
import { storedExperts } from "./stored-experts.ts";

const PATH = "language_model.model.layers.1.feed_forward.experts";
const [E, D, F] = [3, 48, 32];
const MATRICES = [
  { name: "gate_up_proj", outSize: 2 * F, inSize: D },
  { name: "down_proj", outSize: D, inSize: F },
] as const;

type Matrix = Readonly<{ outSize: number; inSize: number }>;

/** What one fused tensor of a form is: its tensors by what follows its name, and expert `e`'s weight at an output and an input. */
type Form = (
  matrix: Matrix & Readonly<{ name: string }>,
) => Readonly<{ tensors: Record<string, TestTensor>; at: (e: number, out: number, input: number) => number }>;

/** The place of an element in [E, in, out] or [E, out, in]. */
const placeOf =
  ({ outSize, inSize }: Matrix, isTransposed: boolean) =>
  (e: number, out: number, input: number) =>
    e * outSize * inSize + (isTransposed ? input * outSize + out : out * inSize + input);

/** FP8 with scales that are found by expert, output and input. */
const fp8 =
  (
    isTransposed: boolean,
    suffix: string,
    scaleOf: (m: Matrix & { name: string }) => {
      shape: number[];
      at: (e: number, out: number, input: number) => number;
    },
  ): Form =>
  (matrix) => {
    const { outSize, inSize } = matrix;
    const place = placeOf(matrix, isTransposed);
    const bytes = codes(E * outSize * inSize, 256, outSize).map(e4m3Code);
    const { shape, at } = scaleOf(matrix);
    const scales = scalesOf(
      shape.reduce((a, b) => a * b, 1),
      inSize,
    );
    const dims = isTransposed ? [E, inSize, outSize] : [E, outSize, inSize];
    return {
      tensors: {
        "": bytesTensor("F8_E4M3", dims, bytes),
        [suffix]: f32Tensor(shape, scales),
        _input_scale: f32Tensor([], [2]),
      },
      at: (e, out, input) =>
        (E4M3[bytes[place(e, out, input)] ?? 0] ?? 0) * Math.fround(scales[at(e, out, input)] ?? 0),
    };
  };

/** ModelOpt's NVFP4: two inputs a byte, scales of 16 inputs, and a second scale for all, for each expert, or for each half of gate_up. */
const nvfp4 =
  (isTransposed: boolean, second: "all" | "each" | "halves"): Form =>
  ({ name, outSize, inSize }) => {
    const [groups, bytesIn] = [inSize / 16, inSize / 2];
    const bytes = codes(E * outSize * bytesIn, 256, outSize);
    const scales = codes(E * outSize * groups, 127, inSize);
    const isHalved = second === "halves" && name === "gate_up_proj";
    const shape = second === "all" ? [] : isHalved ? [E, 2] : [E];
    const seconds = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.0123 * (i + 1));
    const dims = (inputs: number) => (isTransposed ? [E, inputs, outSize] : [E, outSize, inputs]);
    const place = (inputs: number) => placeOf({ outSize, inSize: inputs }, isTransposed);
    return {
      tensors: {
        "": bytesTensor("U8", dims(bytesIn), bytes),
        _weight_scale: bytesTensor("F8_E4M3", dims(groups), scales),
        _weight_scale_2: f32Tensor(shape, seconds),
        _input_scale: f32Tensor([], [2]),
      },
      at: (e, out, input) => {
        const pair = bytes[place(bytesIn)(e, out, Math.floor(input / 2))] ?? 0;
        const number = E2M1[input % 2 === 0 ? pair & 15 : pair >> 4] ?? 0;
        const scale = E4M3[scales[place(groups)(e, out, Math.floor(input / 16))] ?? 0] ?? 0;
        const by = seconds[second === "all" ? 0 : isHalved ? 2 * e + Math.floor(out / F) : e] ?? 0;
        return number * Math.fround(scale * by);
      },
    };
  };

const FORMS: readonly (readonly [string, Form, Partial<StoredForms>])[] = [
  ["ModelOpt's FP8, one scale a tensor", fp8(true, "_weight_scale", () => ({ shape: [], at: () => 0 })), {}],
  ["FP8 with a scale an expert", fp8(true, "_weight_scale", () => ({ shape: [E, 1, 1], at: (e) => e })), {}],
  [
    "ModelOpt's FP8 by output",
    fp8(true, "_weight_scale", ({ outSize }) => ({ shape: [E, outSize], at: (e, out) => e * outSize + out })),
    {},
  ],
  [
    "fbgemm's FP8",
    fp8(true, "_scale", ({ name, outSize }) => ({
      shape: name === "down_proj" ? [E, outSize, 1] : [E, 1, outSize],
      at: (e, out) => e * outSize + out,
    })),
    {},
  ],
  [
    "transformers' FP8 of blocks, [E, out, in]",
    fp8(false, "_scale_inv", ({ outSize, inSize }) => {
      const [rows, columns] = [Math.ceil(outSize / 20), Math.ceil(inSize / 10)];
      const at = (e: number, out: number, input: number) =>
        (e * rows + Math.floor(out / 20)) * columns + Math.floor(input / 10);
      return { shape: [E, rows, columns], at };
    }),
    { blocks: [[20, 10]] },
  ],
  [
    "FP8 of blocks, [E, in, out]",
    fp8(true, "_weight_scale_inv", ({ outSize, inSize }) => {
      const [rows, columns] = [Math.ceil(outSize / 20), Math.ceil(inSize / 10)];
      const at = (e: number, out: number, input: number) =>
        (e * columns + Math.floor(input / 10)) * rows + Math.floor(out / 20);
      return { shape: [E, columns, rows], at };
    }),
    { blocks: [[20, 10]] },
  ],
  ["ModelOpt's NVFP4, [E, in, out]", nvfp4(true, "all"), { groupSizes: [16] }],
  ["NVFP4 with a second scale an expert", nvfp4(true, "each"), {}],
  ["NVFP4 with a second scale for gate and for up", nvfp4(true, "halves"), {}],
  ["NVFP4, [E, out, in]", nvfp4(false, "each"), {}],
];

async function read(tensors: Record<string, TestTensor>, forms: Partial<StoredForms>, index: number) {
  await using folder = await temporaryFolder({ "config.json": "{}", "model.safetensors": safetensorsBytes(tensors) });
  await using checkpoint = await openCheckpoint(folder.path);
  const sizes = { hiddenSize: D, expertWidth: F, expertCount: E };
  const stored = storedExperts(checkpoint, PATH, sizes, { ...PLAIN_FORMS, ...forms });
  const rows = Object.values(stored).map((matrix) =>
    matrixRows(checkpoint, { ...matrix, expert: { index, isTransposed: matrix.expert?.isTransposed ?? false } }),
  );
  // The checkpoint is closed when this function ends.
  return await Promise.all(
    (await Promise.all(rows)).map(async (one) => ({ whole: await readAllRows(one), some: await one.read(5, 7) })),
  );
}

const written = (form: Form): Record<string, TestTensor> =>
  Object.fromEntries(
    MATRICES.flatMap((matrix) =>
      Object.entries(form(matrix).tensors).map(([suffix, tensor]) => [`${PATH}.${matrix.name}${suffix}`, tensor]),
    ),
  );

test.each(FORMS)("of %s every expert is what the form says, whole and in part", async (_, form, forms) => {
  for (let e = 0; e < E; e++) {
    const found = await read(written(form), forms, e);
    MATRICES.forEach((matrix, i) => {
      const { outSize, inSize } = matrix;
      const { at } = form(matrix);
      const weight = Float32Array.from({ length: outSize * inSize }, (_, k) =>
        at(e, Math.floor(k / inSize), k % inSize),
      );
      expect(found[i]?.whole).toEqual(weight);
      expect(found[i]?.some).toEqual(weight.subarray(5 * inSize, 12 * inSize));
    });
  }
});

describe("a fused tensor that could mean two things, or none, is refused by its name", () => {
  const good = written(nvfp4(true, "all"));
  const name = (suffix: string) => `${PATH}.gate_up_proj${suffix}`;
  const without = (suffix: string) => Object.fromEntries(Object.entries(good).filter(([one]) => one !== name(suffix)));

  test.each<[string, Record<string, TestTensor>, RegExp]>([
    ["without scales", without("_weight_scale"), /no tensor \S+gate_up_proj_weight_scale/],
    ["without a second scale", without("_weight_scale_2"), /gate_up_proj is U8/],
    [
      "with scales by two names",
      { ...good, [name("_scale")]: f32Tensor([], [1]) },
      /gate_up_proj_weight_scale is beside/,
    ],
    [
      "with a second scale for each output",
      { ...good, [name("_weight_scale_2")]: f32Tensor([2 * F], Array(2 * F).fill(1)) },
      /gate_up_proj_weight_scale_2 has shape/,
    ],
    [
      "of another number of experts",
      { ...good, [name("")]: bytesTensor("U8", [E + 1, D / 2, 2 * F], new Uint8Array((E + 1) * D * F)) },
      /gate_up_proj has shape/,
    ],
  ])("%s", async (_, tensors, message) => {
    await expect(read(tensors, {}, 0)).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(message),
    });
  });
});

import { neverAborted, type PromptImage } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ImageFeatures } from "./image-features.ts";

const WIDTH = 2;
const images: PromptImage[] = [
  {
    contentHash: "a",
    runs: [
      { start: 1, count: 2 },
      { start: 5, count: 3 },
    ],
    holder: "h",
  },
  { contentHash: "b", runs: [{ start: 9, count: 1 }], holder: "h" },
];
/** Row r of image i holds 100 i + r. */
const source = {
  features: async ({ contentHash, runs }: PromptImage) => {
    const count = runs.reduce((sum, run) => sum + run.count, 0);
    const base = contentHash === "a" ? 0 : 100;
    return Float32Array.from({ length: count * WIDTH }, (_, i) => base + Math.floor(i / WIDTH));
  },
};

test("however a prompt is cut into steps, every image row meets its own features and no other row does", async () => {
  const features = await ImageFeatures.fetch(images, WIDTH, source, neverAborted);
  const _ = undefined;
  const wanted = [_, 0, 1, _, _, 2, 3, 4, _, 100, _];
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 11, maxLength: 11 }), (steps) => {
      const found: (number | undefined)[] = new Array(wanted.length).fill(undefined);
      let first = 0;
      for (const step of steps) {
        for (const { row, rows_aD } of features.within(first, step))
          for (let i = 0; i < rows_aD.length / WIDTH; i++) found[first + row + i] = rows_aD[i * WIDTH];
        first += step;
      }
      expect(found.slice(0, wanted.length)).toEqual(wanted);
    }),
  );
});

test("features of another number of rows are refused", async () => {
  const short = { features: async () => new Float32Array(WIDTH) };
  await expect(ImageFeatures.fetch(images, WIDTH, short, neverAborted)).rejects.toMatchObject({ code: "internal" });
});

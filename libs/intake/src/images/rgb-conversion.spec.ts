import fc from "fast-check";
import { expect, test } from "vitest";
import { cmykToRgb, overWhite } from "./rgb-conversion.ts";

const level = fc.nat(255);

test("alpha lets white through, to the nearest level", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(level, level, level, level)), (pixels) => {
      const wanted = pixels.flatMap(([red, green, blue, alpha]) =>
        [red, green, blue].map((value) => Math.round((value * alpha + 255 * (255 - alpha)) / 255)),
      );
      expect(Array.from(overWhite(Uint8Array.from(pixels.flat())))).toEqual(wanted);
    }),
  );
});

test("inks dim the light that black lets through", () => {
  const inks = Uint8Array.of(0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255, 51, 102, 0, 55);
  // Of 200 that black leaves, cyan takes a fifth and magenta two.
  expect(Array.from(cmykToRgb(inks))).toEqual([255, 255, 255, 0, 255, 255, 255, 0, 0, 0, 0, 0, 160, 120, 200]);
});

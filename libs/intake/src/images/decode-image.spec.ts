import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage } from "./decode-image.ts";
import { PNG_COLOURS, pngChunk, pngFile } from "./testing/png-bytes.ts";

/** A picture whose left half is `left` and whose right half is `right`, 16 x 8. */
function halves(left: readonly number[], right: readonly number[]) {
  const row = Array.from({ length: 16 }, (_, x) => (x < 8 ? left : right)).flat();
  const pixels = Uint8Array.from(Array.from({ length: 8 }, () => row).flat());
  return sharp(pixels, { raw: { width: 16, height: 8, channels: left.length === 4 ? 4 : 3 } });
}

const RED = [250, 20, 30];
const BLUE = [10, 40, 200];

async function levelsOf(file: Uint8Array) {
  const { width, height, pixels } = await decodeImage(file);
  const at = (x: number, y: number) => Array.from(pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3));
  return { width, height, first: at(0, 0), last: at(width - 1, height - 1) };
}

/** EXIF, big-endian, with an orientation and nothing else. */
function orientation(value: number): Buffer {
  return Buffer.from(`4d4d002a00000008000101120003000000010${value.toString(16).padStart(3, "0")}000000000000`, "hex");
}

describe("a decoded picture", () => {
  test.each(["png", "jpeg", "webp", "gif"] as const)("of %s has its pixels as RGB", async (format) => {
    const { width, height, first, last } = await levelsOf(await halves(RED, BLUE).toFormat(format).toBuffer());
    expect([width, height]).toEqual([16, 8]);
    [first, last].forEach((levels, index) => {
      for (const [channel, level] of (index === 0 ? RED : BLUE).entries()) {
        expect(Math.abs((levels[channel] ?? Number.NaN) - level)).toBeLessThanOrEqual(format === "png" ? 0 : 10);
      }
    });
  });

  test.each([
    [1, [16, 8], RED, BLUE],
    [2, [16, 8], BLUE, RED],
    [3, [16, 8], BLUE, RED],
    [4, [16, 8], RED, BLUE],
    [5, [8, 16], RED, BLUE],
    [6, [8, 16], RED, BLUE],
    [7, [8, 16], BLUE, RED],
    [8, [8, 16], BLUE, RED],
  ])("is turned as EXIF's orientation %i says", async (value, size, first, last) => {
    const png = await halves(RED, BLUE).png().toBuffer();
    // The header's chunk ends at byte 33.
    const turned = Buffer.concat([png.subarray(0, 33), pngChunk("eXIf", orientation(value)), png.subarray(33)]);
    const levels = await levelsOf(turned);
    expect(levels).toEqual({ width: size[0], height: size[1], first, last });
  });

  test("lies over white where it is transparent", async () => {
    const file = await halves([0, 0, 0, 0], [100, 0, 255, 128]).png().toBuffer();
    // 128/255 of the colour and 127/255 of white.
    expect(await levelsOf(file)).toMatchObject({ first: [255, 255, 255], last: [177, 127, 255] });
  });

  test("has the high bytes of 16-bit levels, and grey in all three channels", async () => {
    const shape = { width: 1, height: 1, bits: 16 };
    const rgb = pngFile({ ...shape, colour: PNG_COLOURS.rgb }, Buffer.from([0, 0x12, 0xff, 0x34, 0x00, 0x56, 0x80]));
    expect((await levelsOf(rgb)).first).toEqual([0x12, 0x34, 0x56]);
    const grey = pngFile({ ...shape, colour: PNG_COLOURS.grey }, Buffer.from([0, 0x9a, 0xff]));
    expect((await levelsOf(grey)).first).toEqual([0x9a, 0x9a, 0x9a]);
    const bits = pngFile({ width: 2, height: 1, bits: 1, colour: PNG_COLOURS.grey }, Buffer.from([0, 0b0100_0000]));
    expect(await levelsOf(bits)).toMatchObject({ first: [0, 0, 0], last: [255, 255, 255] });
  });

  test("has a palette's colours, over white where the palette is transparent", async () => {
    const palette = pngChunk("PLTE", Buffer.from([1, 2, 3, 200, 100, 0]));
    const transparent = pngChunk("tRNS", Buffer.from([255, 0]));
    const shape = { width: 2, height: 1, bits: 8, colour: PNG_COLOURS.palette };
    const file = pngFile(shape, Buffer.from([0, 0, 1]), [palette, transparent]);
    expect(await levelsOf(file)).toMatchObject({ first: [1, 2, 3], last: [255, 255, 255] });
  });

  test("ignores colour profiles", async () => {
    const plain = await decodeImage(await halves(RED, BLUE).jpeg().toBuffer());
    const wide = await halves(RED, BLUE).jpeg().withIccProfile("p3", { attach: true }).toBuffer();
    const { data } = await sharp(wide, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
    expect(Array.from((await decodeImage(wide)).pixels)).toEqual(Array.from(data));
    expect(plain.pixels.length).toBe(data.length);
  });

  test("of four inks is turned into RGB without a profile", async () => {
    const inks = await sharp(Buffer.alloc(8 * 8 * 3), { raw: { width: 8, height: 8, channels: 3 } })
      .toColourspace("cmyk")
      .jpeg({ quality: 100 })
      .toBuffer();
    expect((await sharp(inks).metadata()).space).toBe("cmyk");
    const { data } = await sharp(inks)
      .pipelineColourspace("cmyk")
      .toColourspace("cmyk")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const [cyan = 0, , , black = 0] = data;
    const red = Math.round(((255 - cyan) * (255 - black)) / 255);
    expect((await levelsOf(inks)).first[0]).toBe(red);
  });

  test("of an animation is its first frame", async () => {
    const frames = await Promise.all([RED, BLUE].map((colour) => halves(colour, colour).png().toBuffer()));
    for (const format of ["gif", "webp"] as const) {
      const file = await sharp(frames, { join: { animated: true } })
        .toFormat(format, { lossless: true })
        .toBuffer();
      expect((await sharp(file).metadata()).pages).toBe(2);
      const { width, height, first, last } = await levelsOf(file);
      expect({ width, height, first, last }).toEqual({ width: 16, height: 8, first: RED, last: RED });
    }
  });
});

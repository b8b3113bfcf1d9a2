import { DroverError } from "@drover/core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ImagePool } from "./image-pool.ts";
import { deflatedZeros, PNG_COLOURS, pngChunk, pngFile } from "./testing/png-bytes.ts";

const settings = { tileSize: 28, tileCountMax: 4 };
const { signal } = new AbortController();
const FORMATS = ["png", "jpeg", "webp", "gif"] as const;

/** Mulberry32: the same damage at every run. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("a hostile file", () => {
  let pool: ImagePool;
  beforeAll(() => {
    pool = new ImagePool(settings, { threads: 1 });
  });
  afterAll(() => pool[Symbol.asyncDispose]());

  /** Either tiles of the right length, or a complaint about the file. */
  async function outcome(file: Uint8Array): Promise<"tiles" | "refused"> {
    try {
      const { grid, pixels } = await pool.process(file, signal);
      const tileCount = grid.rows * grid.cols;
      expect(pixels.length).toBe((tileCount === 1 ? 1 : tileCount + 1) * settings.tileSize ** 2 * 3);
      return "tiles";
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      expect(error.code).toBe("invalid_argument");
      expect(error.message).toMatch(/^the (file|image|PNG|JPEG|WebP|GIF) /);
      return "refused";
    }
  }

  async function noise(format: (typeof FORMATS)[number]): Promise<Buffer> {
    const random = seededRandom(7);
    const pixels = Uint8Array.from({ length: 60 * 44 * 3 }, (_, index) => (index * 3 + random() * 40) & 255);
    return sharp(pixels, { raw: { width: 60, height: 44, channels: 3 } })
      .toFormat(format)
      .toBuffer();
  }

  test.each(FORMATS)(
    "of %s that is cut off anywhere is refused, or right where only its trailer is missing",
    async (format) => {
      const file = await noise(format);
      const whole = await pool.process(file, signal);
      const random = seededRandom(1);
      let refusedCount = 0;
      for (let round = 0; round < 150; round++) {
        const cut = file.subarray(0, Math.floor(random() * file.length));
        if ((await outcome(cut)) === "refused") refusedCount += 1;
        else if (format === "png") expect((await pool.process(cut, signal)).contentHash).toBe(whole.contentHash);
      }
      expect(refusedCount).toBeGreaterThan(format === "gif" ? 20 : 120);
    },
  );

  test.each(FORMATS)("of %s with flipped bits is refused or a picture", async (format) => {
    const file = await noise(format);
    const random = seededRandom(2);
    const outcomes = { tiles: 0, refused: 0 };
    for (let round = 0; round < 150; round++) {
      const flipped = Buffer.from(file);
      for (let flip = 0; flip <= round % 8; flip++) {
        // Half of the flips hit the headers.
        const at = Math.floor(random() * (random() < 0.5 ? 64 : file.length));
        flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      }
      outcomes[await outcome(flipped)] += 1;
    }
    expect(outcomes.tiles + outcomes.refused).toBe(150);
    expect(outcomes.refused).toBeGreaterThan(0);
  });

  test("of bytes behind a signature is refused", async () => {
    const random = seededRandom(3);
    for (const format of FORMATS) {
      const head = (await noise(format)).subarray(0, 16);
      for (let round = 0; round < 20; round++) {
        const tail = Uint8Array.from({ length: 500 }, () => random() * 256);
        expect(await outcome(Buffer.concat([head, tail]))).toBe("refused");
      }
    }
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["HTML", Buffer.from("<html><body>not found</body></html>")],
    ["SVG", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')],
    ["zeros", Buffer.alloc(10_000)],
  ])("that is %s is refused as no image", async (_name, file) => {
    await expect(pool.process(file, signal)).rejects.toMatchObject({
      code: "invalid_argument",
      message: "the file is not a PNG, JPEG, WebP or GIF image",
    });
  });

  test("of too many bytes is refused unread", async () => {
    await expect(pool.process(new Uint8Array(20 * 2 ** 20 + 1), signal)).rejects.toMatchObject({
      code: "invalid_argument",
      message: "the image has 20971521 bytes; at most 20971520 are taken",
    });
  });
});

describe("a decompression bomb", () => {
  let pool: ImagePool;
  beforeAll(() => {
    pool = new ImagePool(settings, { threads: 1 });
  });
  afterAll(() => pool[Symbol.asyncDispose]());

  const BOMB_BYTES = 512 * 2 ** 20;
  const pixel = { width: 1, height: 1, bits: 8, colour: PNG_COLOURS.rgb };
  const refusedByHeader = (width: number, height: number) => ({
    code: "invalid_argument",
    message: `the image has ${width} x ${height} pixels; at most 50000000, and 65535 a side, are taken`,
  });

  test("of 50000 x 50000 zeros is refused by its header", async () => {
    const file = pngFile({ width: 50_000, height: 50_000, bits: 1, colour: PNG_COLOURS.grey }, Buffer.alloc(50_000));
    await expect(pool.process(file, signal)).rejects.toMatchObject(refusedByHeader(50_000, 50_000));
  });

  test("of one endless row is refused by its header", async () => {
    const file = pngFile({ width: 70_000, height: 1, bits: 1, colour: PNG_COLOURS.grey }, Buffer.alloc(9_000));
    await expect(pool.process(file, signal)).rejects.toMatchObject(refusedByHeader(70_000, 1));
  });

  test("of a JPEG that claims 60000 x 60000 is refused by its header", async () => {
    const file = await sharp({ create: { width: 16, height: 16, channels: 3, background: "red" } })
      .jpeg()
      .toBuffer();
    const frame = file.indexOf(Buffer.from([0xff, 0xc0]));
    file.writeUInt16BE(60_000, frame + 5);
    file.writeUInt16BE(60_000, frame + 7);
    await expect(pool.process(file, signal)).rejects.toMatchObject(refusedByHeader(60_000, 60_000));
  });

  test("of a WebP that claims more than it has is refused", async () => {
    const source = sharp({ create: { width: 16, height: 16, channels: 3, background: "red" } });
    const file = await source.webp({ lossless: true }).toBuffer();
    file.writeUInt32LE(0x0fff_ffff, file.indexOf("VP8L") + 9);
    await expect(pool.process(file, signal)).rejects.toMatchObject({ code: "invalid_argument" });
  });

  test("of a GIF whose screen is huge is refused, or its frame alone", async () => {
    const source = sharp({ create: { width: 16, height: 16, channels: 3, background: "red" } });
    const file = await source.gif().toBuffer();
    file.writeUInt16LE(65_535, 6);
    file.writeUInt16LE(65_535, 8);
    const result = await pool.process(file, signal).catch((error: unknown) => error);
    if (result instanceof Error) expect(result).toMatchObject({ code: "invalid_argument" });
    else expect(result).toMatchObject({ grid: { rows: 1, cols: 1 } });
  });

  test.each([
    ["a colour profile", "iCCP", "x\0\0"],
    ["a text", "zTXt", "x\0\0"],
    ["EXIF in a text", "zTXt", "Raw profile type exif\0\0"],
    ["XMP", "iTXt", "XML:com.adobe.xmp\0\x01\0\0\0"],
  ])("in %s is not inflated whole, and the picture is right", async (_name, type, head) => {
    const zeros = await deflatedZeros(BOMB_BYTES);
    const file = pngFile(pixel, Buffer.from([0, 9, 8, 7]), [
      pngChunk(type, Buffer.concat([Buffer.from(head, "latin1"), zeros])),
    ]);
    const before = process.memoryUsage.rss();
    const { pixels } = await pool.process(file, signal);
    expect(Array.from(pixels.subarray(0, 3))).toEqual([9, 8, 7]);
    // The peak of the whole process may be an earlier test's; then this bomb was far from it.
    const peak = process.resourceUsage().maxRSS * 1024;
    expect(peak - before).toBeLessThan(BOMB_BYTES / 2);
  });

  test("of thousands of scans is refused", async () => {
    const source = sharp({ create: { width: 256, height: 256, channels: 3, background: "red" } });
    const file = await source.jpeg({ progressive: true }).toBuffer();
    const end = file.length - 2;
    const lastScan = file.subarray(file.lastIndexOf(Buffer.from([0xff, 0xda])), end);
    const scans = Array<Buffer>(5_000).fill(lastScan);
    const bomb = Buffer.concat([file.subarray(0, end), ...scans, file.subarray(end)]);
    await expect(pool.process(bomb, signal)).rejects.toMatchObject({ code: "invalid_argument" });
  });
});

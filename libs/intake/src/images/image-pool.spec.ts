import { neverAborted } from "@drover/core";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { ImagePool } from "./image-pool.ts";

const settings = { tileSize: 28, tileCountMax: 4 };

const drawRed = () =>
  sharp({ create: { width: 30, height: 20, channels: 3, background: "red" } })
    .png()
    .toBuffer();

describe("an image pool", () => {
  test("gives the caller's bytes back as they were", async () => {
    await using pool = new ImagePool(settings, { threads: 1 });
    const file = await drawRed();
    const before = Buffer.from(file);
    await pool.process(file, neverAborted);
    expect(file.equals(before)).toBe(true);
  });

  test("cuts many images on several threads as it cuts each alone", async () => {
    const draw = (red: number) =>
      sharp({ create: { width: 20 + red, height: 60, channels: 3, background: { r: red, g: 9, b: 9 } } })
        .png()
        .toBuffer();
    const files = await Promise.all(Array.from({ length: 12 }, (_, index) => draw(index * 10)));
    await using alone = new ImagePool(settings, { threads: 1 });
    await using together = new ImagePool(settings, { threads: 3 });
    const many = await Promise.all(files.map((file) => together.process(file, neverAborted)));
    for (const [index, file] of files.entries()) expect(many[index]).toEqual(await alone.process(file, neverAborted));
    expect(new Set(many.map(({ contentHash }) => contentHash)).size).toBe(12);
  });

  test("takes no picture for damaged while other threads start", async () => {
    const file = await drawRed();
    for (let round = 0; round < 8; round++) {
      await using pool = new ImagePool(settings, { threads: 6 });
      await Promise.all(Array.from({ length: 40 }, () => pool.process(file, neverAborted)));
    }
  });

  test("decodes small pictures beside large ones, however many of these wait", async () => {
    await using pool = new ImagePool(settings, { threads: 1, largePixels: 1_000_000 });
    const blank = { width: 5000, height: 5000, channels: 3, background: "white" } as const;
    const large = await sharp({ create: blank }).png().toBuffer();
    const small = await drawRed();
    const order: string[] = [];
    const cut = async (name: string, file: Buffer) => {
      await pool.process(file, neverAborted);
      order.push(name);
    };
    const larges = ["a", "b", "c"].map((name) => cut(name, large));
    await Promise.all([...larges, cut("small", small)]);
    expect(order.indexOf("small")).toBeLessThan(order.indexOf("c"));
  });

  test("keeps its thread when an image is refused", async () => {
    await using pool = new ImagePool(settings, { threads: 1 });
    const broken = Buffer.from("GIF89a of no pixels", "latin1");
    await expect(pool.process(broken, neverAborted)).rejects.toMatchObject({ code: "invalid_argument" });
    expect(await pool.process(await drawRed(), neverAborted)).toMatchObject({ tileSize: 28 });
  });

  test("takes nothing with an aborted signal, and nothing once it is closed", async () => {
    const pool = new ImagePool(settings, { threads: 1 });
    const file = await drawRed();
    await expect(pool.process(file, AbortSignal.abort(new Error("too late")))).rejects.toThrow("too late");
    await pool[Symbol.asyncDispose]();
    const fault = { code: "unavailable", message: "the image pool is closed" };
    await expect(pool.process(file, neverAborted)).rejects.toMatchObject(fault);
  });
});

import { neverAborted } from "@drover/core";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { ImagePool, type ImagePoolOptions } from "./image-pool.ts";

const settings = { tileSize: 28, tileCountMax: 4 };
const program = new URL("./testing/scripted-thread.ts", import.meta.url);

const scriptedPool = (options: Partial<ImagePoolOptions> = {}) =>
  new ImagePool(settings, { threads: 1, program, ...options });

/** A file that passes for a GIF and tells the scripted thread what to do: answer, x (exit), t (throw), h (hang). */
const scripted = (command: string, length = 7) => Buffer.from(`GIF89a${command.padStart(length - 6)}`, "latin1");

describe("an image pool", () => {
  test("gives the caller's bytes back as they were", async () => {
    await using pool = new ImagePool(settings, { threads: 1 });
    const file = await sharp({ create: { width: 30, height: 20, channels: 3, background: "red" } })
      .png()
      .toBuffer();
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

  test("works on as many images as it has threads", async () => {
    await using pool = scriptedPool({ threads: 2 });
    const hanging = pool.process(scripted("h"), neverAborted).catch((error: unknown) => error);
    expect(await pool.process(scripted("a"), neverAborted)).toMatchObject({ contentHash: "a" });
    await pool[Symbol.asyncDispose]();
    expect(await hanging).toMatchObject({ code: "unavailable" });
  });

  test("refuses as overloaded what its queue cannot hold, and takes more when a place is given up", async () => {
    await using pool = scriptedPool({ queueMax: 1 });
    const running = pool.process(scripted("h"), neverAborted).catch((error: unknown) => error);
    const gone = new AbortController();
    const waiting = pool.process(scripted("a"), gone.signal);
    await expect(pool.process(scripted("b"), neverAborted)).rejects.toMatchObject({
      code: "overloaded",
      retryAfterMs: expect.any(Number),
    });
    gone.abort(new Error("the client is gone"));
    await expect(waiting).rejects.toThrow("the client is gone");
    const next = pool.process(scripted("c"), neverAborted).catch((error: unknown) => error);
    await expect(pool.process(scripted("d"), neverAborted)).rejects.toMatchObject({ code: "overloaded" });
    await pool[Symbol.asyncDispose]();
    expect(await running).toMatchObject({ code: "unavailable" });
    expect(await next).toMatchObject({ code: "unavailable" });
  });

  test("refuses as overloaded what has too many bytes for its queue", async () => {
    await using pool = scriptedPool({ queueBytesMax: 50 });
    const running = pool.process(scripted("h"), neverAborted).catch((error: unknown) => error);
    const waiting = pool.process(scripted("a", 40), neverAborted).catch((error: unknown) => error);
    await expect(pool.process(scripted("b", 20), neverAborted)).rejects.toMatchObject({ code: "overloaded" });
    const small = pool.process(scripted("c", 8), neverAborted).catch((error: unknown) => error);
    await pool[Symbol.asyncDispose]();
    for (const refused of [running, waiting, small]) expect(await refused).toMatchObject({ code: "unavailable" });
  });

  test.each(["x", "t"])("replaces a thread that ends (%s), and only its image fails", async (command) => {
    await using pool = scriptedPool();
    const results = ["a", command, "b", command, "c"].map((next) =>
      pool.process(scripted(next), neverAborted).catch((error: unknown) => error),
    );
    expect(await Promise.all(results)).toMatchObject([
      { contentHash: "a" },
      { code: "internal" },
      { contentHash: "b" },
      { code: "internal" },
      { contentHash: "c" },
    ]);
  });

  test("ends a thread that hangs, and goes on with what waits", async () => {
    await using pool = scriptedPool({ processMsMax: 300 });
    const hanging = pool.process(scripted("h"), neverAborted).catch((error: unknown) => error);
    const waiting = pool.process(scripted("a"), neverAborted);
    expect(await hanging).toMatchObject({ code: "deadline_exceeded", message: "the image took longer than 300 ms" });
    expect(await waiting).toMatchObject({ contentHash: "a" });
  });

  test("lets a caller go at once, whatever its thread does", async () => {
    await using pool = scriptedPool();
    const gone = new AbortController();
    const running = pool.process(scripted("h"), gone.signal);
    // Behind it in the queue, so that the first is surely running once this one is refused.
    await expect(pool.process(scripted("a"), AbortSignal.timeout(1))).rejects.toThrow();
    gone.abort(new Error("the client is gone"));
    await expect(running).rejects.toThrow("the client is gone");
  });

  test("takes nothing with an aborted signal, and nothing once it is closed", async () => {
    const pool = scriptedPool();
    await expect(pool.process(scripted("a"), AbortSignal.abort(new Error("too late")))).rejects.toThrow("too late");
    await pool[Symbol.asyncDispose]();
    await expect(pool.process(scripted("a"), neverAborted)).rejects.toMatchObject({ code: "unavailable" });
  });
});

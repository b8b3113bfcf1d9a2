import { getPriority } from "node:os";
import { join } from "node:path";
import { loadVisionConfig, openCheckpoint, type VisionConfig } from "@drover/checkpoint";
import { neverAborted, silentLogger } from "@drover/core";
import { expect, test } from "vitest";
import { COMMANDS, REFUSED } from "./testing/encoder-commands.ts";
import { VisionEncoder } from "./vision-encoder.ts";
import { VisionThread, type VisionThreadOptions } from "./vision-thread.ts";

const nano = join(import.meta.dirname, "../../../../models/nano");

async function nanoConfig(): Promise<VisionConfig> {
  const config = await loadVisionConfig(nano);
  if (config === undefined) throw new Error("nano reads images");
  return config;
}

async function start(options: Partial<VisionThreadOptions> = {}): Promise<VisionThread> {
  const config = await nanoConfig();
  return VisionThread.start({
    directory: nano,
    config,
    threads: 1,
    logger: silentLogger,
    onEncoded: () => undefined,
    ...options,
  });
}

const scripted = (options: Partial<VisionThreadOptions> = {}) =>
  start({ program: new URL("./testing/scripted-encoder.ts", import.meta.url), ...options });

const TILE_BYTES = 112 ** 2 * 3;
/** One tile that tells the scripted thread what to do. */
const tile = (command: number) => new Uint8Array(TILE_BYTES).fill(command);
const noise = (tileCount: number) => Uint8Array.from({ length: tileCount * TILE_BYTES }, (_, i) => (i * 7919) % 251);

test("a thread gives the features that the encoder gives on the caller's", async () => {
  await using checkpoint = await openCheckpoint(nano);
  using encoder = await VisionEncoder.load(checkpoint, await nanoConfig(), { threads: 1 });
  const encoded: number[] = [];
  await using thread = await start({ onEncoded: (tileCount) => encoded.push(tileCount) });
  expect(await thread.encode(5, noise(5), neverAborted)).toEqual(encoder.encode(5, noise(5)));
  expect(encoded).toEqual([5]);
});

test("the caller's own priority stays as it is", async () => {
  const before = getPriority();
  await using _thread = await start();
  expect(getPriority()).toBe(before);
});

test("pixels that share their buffer are copied, and those that do not are taken over", async () => {
  await using thread = await scripted();
  const sharing = new Uint8Array(TILE_BYTES + 1).fill(COMMANDS.answer).subarray(1);
  await thread.encode(1, sharing, neverAborted);
  expect(sharing).toHaveLength(TILE_BYTES);
  const own = tile(COMMANDS.answer);
  await thread.encode(1, own, neverAborted);
  expect(own).toHaveLength(0);
});

test.each([COMMANDS.exit, COMMANDS.throw])(
  "an image that ends the thread is unavailable, and what waits is encoded by the next one (%i)",
  async (command) => {
    await using thread = await scripted();
    const fatal = thread.encode(1, tile(command), neverAborted);
    const waiting = thread.encode(1, tile(9), neverAborted);
    await expect(fatal).rejects.toMatchObject({ code: "unavailable" });
    expect(await waiting).toEqual(Float32Array.of(9));
    expect(await thread.encode(1, tile(8), neverAborted)).toEqual(Float32Array.of(8));
  },
);

test("what its queue cannot hold is refused as overloaded, and a place that is given up is free again", async () => {
  await using thread = await scripted({ queueMax: 2 });
  const running = thread.encode(1, tile(COMMANDS.hang), neverAborted).catch((error: unknown) => error);
  await new Promise((done) => setImmediate(done));
  const gone = new AbortController();
  const first = thread.encode(1, tile(7), gone.signal);
  const second = thread.encode(1, tile(7), neverAborted).catch((error: unknown) => error);
  await expect(thread.encode(1, tile(7), neverAborted)).rejects.toMatchObject({ code: "overloaded" });
  gone.abort(new Error("the client is gone"));
  await expect(first).rejects.toThrow("the client is gone");
  const third = thread.encode(1, tile(7), neverAborted).catch((error: unknown) => error);
  await thread[Symbol.asyncDispose]();
  for (const refused of [running, second, third]) expect(await refused).toMatchObject({ code: "unavailable" });
  await expect(thread.encode(1, tile(7), neverAborted)).rejects.toMatchObject({ code: "unavailable" });
});

test("an encoding that nobody wants any more gives way to the next one", async () => {
  await using thread = await scripted();
  const gone = new AbortController();
  const hanging = thread.encode(1, tile(COMMANDS.hang), gone.signal);
  const next = thread.encode(1, tile(7), neverAborted);
  await new Promise((done) => setImmediate(done));
  gone.abort(new Error("the client is gone"));
  await expect(hanging).rejects.toThrow("the client is gone");
  expect(await next).toEqual(Float32Array.of(7));
});

test("a thread that is closed within a run ends without ending the process", async () => {
  const thread = await start({ threads: 2 });
  const encoding = thread.encode(200, noise(200), neverAborted).catch((error: unknown) => error);
  await new Promise((done) => setImmediate(done));
  await thread[Symbol.asyncDispose]();
  expect(await encoding).toMatchObject({ code: "unavailable" });
});

test("more bytes than may wait are refused as overloaded", async () => {
  await using thread = await scripted({ queueBytesMax: 2 * TILE_BYTES });
  const gone = new AbortController();
  const running = thread.encode(1, tile(COMMANDS.hang), gone.signal).catch((error: unknown) => error);
  await expect(thread.encode(3, noise(3), neverAborted)).rejects.toMatchObject({ code: "overloaded" });
  gone.abort(new Error("the client is gone"));
  expect(await running).toBe(gone.signal.reason);
});

test("weights that are refused are the start's own error", async () => {
  await expect(scripted({ threads: REFUSED })).rejects.toMatchObject({
    code: "invalid_argument",
    message: "no tensor there",
  });
  await expect(start({ directory: join(nano, "absent") })).rejects.toMatchObject({ code: "invalid_argument" });
});

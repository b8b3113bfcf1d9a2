import { create } from "@bufbuild/protobuf";
import { DroverError, neverAborted } from "@drover/core";
import { EncodeFrameSchema, VisionWorker } from "@drover/proto";
import { expect, test } from "vitest";
import { TILE_COUNT_MAX, VISION_FRAME_BYTES_MAX } from "../../limits.ts";
import { FeatureCache } from "./feature-cache.ts";
import { fetchFeatures } from "./feature-stream.ts";
import {
  featuresOf,
  HIDDEN_SIZE,
  IMAGE_SIZE,
  ROWS_PER_TILE,
  sendTiles,
  TILE_BYTES,
  tilesOf,
  visionWorker,
} from "./testing/vision-worker.ts";

test("tiles become features that are fetched by their hash, bit for bit", async () => {
  await using worker = await visionWorker();
  const tiles = tilesOf(7, 3);
  expect(await worker.encode(tiles)).toMatchObject({ rowCount: 3 * ROWS_PER_TILE, cached: false });
  const rows = await fetchFeatures(worker.client, tiles.contentHash, 3 * ROWS_PER_TILE, HIDDEN_SIZE, neverAborted);
  expect(rows).toEqual(featuresOf(tiles));
});

test("features of many frames arrive whole, whatever the reader's pace", async () => {
  const rowCount = 1000;
  const hiddenSize = 1031;
  const cache = new FeatureCache(2 ** 24);
  const rows_aD = Float32Array.from({ length: rowCount * hiddenSize }, (_, i) => i);
  const { contentHash } = tilesOf(1);
  cache.put(contentHash, rows_aD);
  await using worker = await visionWorker({ cache, hiddenSize });
  expect(rows_aD.byteLength).toBeGreaterThan(4 * VISION_FRAME_BYTES_MAX);
  expect(await fetchFeatures(worker.client, contentHash, rowCount, hiddenSize, neverAborted)).toEqual(rows_aD);
});

test("an image is encoded once: what is held is answered from the cache", async () => {
  await using worker = await visionWorker();
  const tiles = tilesOf(7);
  await worker.encode(tiles);
  expect(await worker.encode(tiles)).toMatchObject({ cached: true });
  expect(worker.encoder.calls).toHaveLength(1);
  expect(worker.cache.facts).toMatchObject({ hits: 1, misses: 1 });
});

test("calls for one image at the same time share one encoding", async () => {
  await using worker = await visionWorker();
  worker.encoder.isOpen = false;
  const tiles = tilesOf(7, 2);
  const calls = Array.from({ length: 5 }, () => worker.encode(tiles));
  (await worker.encoder.arrived()).finish();
  for (const call of calls) expect(await call).toMatchObject({ rowCount: 2 * ROWS_PER_TILE });
  expect(worker.encoder.calls).toHaveLength(1);
});

test("an encoding that nobody waits for any more is given up, and the next call begins anew", async () => {
  await using worker = await visionWorker();
  worker.encoder.isOpen = false;
  const tiles = tilesOf(7);
  const leaver = new AbortController();
  const leaving = worker.encode(tiles, leaver.signal);
  const { signal } = await worker.encoder.arrived();
  leaver.abort(new DroverError("cancelled", "the caller has gone"));
  await expect(leaving).rejects.toMatchObject({ code: "cancelled" });
  await expect.poll(() => signal.aborted).toBe(true);
  worker.encoder.isOpen = true;
  expect(await worker.encode(tiles)).toMatchObject({ cached: false });
});

test("an encoder's fault reaches all who wait, and the next call tries again", async () => {
  await using worker = await visionWorker();
  worker.encoder.isOpen = false;
  const tiles = tilesOf(7);
  const call = worker.encode(tiles);
  (await worker.encoder.arrived()).fail(new DroverError("unavailable", "the vision thread has ended"));
  await expect(call).rejects.toMatchObject({ code: "unavailable" });
  worker.encoder.isOpen = true;
  expect(await worker.encode(tiles)).toMatchObject({ cached: false });
});

test("tiles that are not what their hash says are refused, and nothing is kept of them", async () => {
  await using worker = await visionWorker();
  const tiles = tilesOf(7);
  const changed = { ...tiles, pixels: tiles.pixels.with(TILE_BYTES - 1, 8) };
  await expect(worker.encode(changed)).rejects.toMatchObject({ code: "invalid_argument", field: "content_hash" });
  expect(await worker.probe(tiles)).toEqual([false]);
  expect(worker.encoder.calls).toHaveLength(0);
});

test("sizes that are not the model's, or not the pixels', are refused by field", async () => {
  await using worker = await visionWorker();
  const first = { ...tilesOf(7), contentHash: Buffer.alloc(32), tileSize: IMAGE_SIZE };
  const wrong = [
    [{ ...first, contentHash: Buffer.alloc(20) }, "content_hash"],
    [{ ...first, tileSize: IMAGE_SIZE + 1 }, "tile_size"],
    [{ ...first, tileCount: 0 }, "tile_count"],
    [{ ...first, tileCount: TILE_COUNT_MAX + 1 }, "tile_count"],
    [{ ...first, pixels: new Uint8Array(TILE_BYTES - 1) }, "pixels"],
    [{ ...first, pixels: new Uint8Array(TILE_BYTES + 1) }, "pixels"],
    [{ ...first, tileCount: 256, pixels: new Uint8Array(VISION_FRAME_BYTES_MAX + 1) }, "pixels"],
  ] as const;
  for (const [frame, field] of wrong) {
    const { call, reply } = worker.client.clientStream(VisionWorker.method.encode, neverAborted);
    const { contentHash, tileCount, tileSize, pixels } = frame;
    call.write(create(EncodeFrameSchema, { contentHash, tileCount, tileSize, pixels }));
    call.end();
    await expect(reply).rejects.toMatchObject({ code: "invalid_argument", field });
  }
  const { call, reply } = worker.client.clientStream(VisionWorker.method.encode, neverAborted);
  call.end();
  await expect(reply).rejects.toMatchObject({ code: "invalid_argument" });
});

test("more pixels than may wait are overload, and room comes back with every end of a call", async () => {
  await using worker = await visionWorker({ pixelBytesMax: 2 * TILE_BYTES });
  worker.encoder.isOpen = false;
  const leaver = new AbortController();
  const waiting = worker.encode(tilesOf(1, 2), leaver.signal);
  await worker.encoder.arrived();
  await expect(worker.encode(tilesOf(2))).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 1000 });
  leaver.abort(new DroverError("cancelled", "the caller has gone"));
  await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  worker.encoder.isOpen = true;
  const refused = { ...tilesOf(3, 2), contentHash: tilesOf(4, 2).contentHash };
  await expect.poll(() => worker.encode(refused).catch(({ code }) => code)).toBe("invalid_argument");
  for (const value of [4, 5]) expect(await worker.encode(tilesOf(value, 2))).toMatchObject({ cached: false });
});

test("tiles that stop coming are given up after their time, and their room is free", async () => {
  await using worker = await visionWorker({ receiveMsMax: 50, pixelBytesMax: 2 * TILE_BYTES });
  const { tileCount, pixels, contentHash } = tilesOf(1, 2);
  const { call, reply } = worker.client.clientStream(VisionWorker.method.encode, neverAborted);
  const names = { contentHash: Buffer.from(contentHash, "hex"), tileCount, tileSize: IMAGE_SIZE };
  call.write(create(EncodeFrameSchema, { ...names, pixels: pixels.subarray(0, 10) }));
  await expect(reply).rejects.toMatchObject({ code: "deadline_exceeded" });
  expect(await worker.encode(tilesOf(2, 2))).toMatchObject({ cached: false });
});

test("an image whose features the cache could not hold is refused before it is encoded", async () => {
  await using worker = await visionWorker({ cache: new FeatureCache(ROWS_PER_TILE * HIDDEN_SIZE * 4) });
  expect(await worker.encode(tilesOf(1))).toMatchObject({ cached: false });
  await expect(worker.encode(tilesOf(2, 2))).rejects.toMatchObject({ code: "payload_too_large" });
});

test("a probe says what is held, and a hit counts as use", async () => {
  await using worker = await visionWorker({ cache: new FeatureCache(2 * ROWS_PER_TILE * HIDDEN_SIZE * 4) });
  const [a, b, c] = [tilesOf(1), tilesOf(2), tilesOf(3)];
  await worker.encode(a);
  await worker.encode(b);
  expect(await worker.probe(a, c)).toEqual([true, false]);
  await worker.encode(c);
  expect(await worker.probe(a, b, c)).toEqual([true, false, true]);
});

test("features that are not here are not found", async () => {
  await using worker = await visionWorker();
  const { contentHash } = tilesOf(1);
  await expect(
    fetchFeatures(worker.client, contentHash, ROWS_PER_TILE, HIDDEN_SIZE, neverAborted),
  ).rejects.toMatchObject({ code: "not_found" });
});

test("frames of any size give the same features", async () => {
  for (const frameBytes of [1, 7, TILE_BYTES, 1000]) {
    await using worker = await visionWorker();
    const tiles = tilesOf(7, 2);
    await sendTiles(worker.client, tiles, neverAborted, frameBytes);
    expect(worker.cache.read(tiles.contentHash)).toEqual(featuresOf(tiles));
  }
});

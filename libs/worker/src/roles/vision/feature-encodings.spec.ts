import { DroverError, neverAborted } from "@drover/core";
import { expect, test } from "vitest";
import { FeatureCache } from "./feature-cache.ts";
import { FeatureEncodings } from "./feature-encodings.ts";
import { featuresOf, HeldEncoder, tilesOf } from "./testing/vision-worker.ts";

function held() {
  const encoder = new HeldEncoder();
  encoder.isOpen = false;
  const cache = new FeatureCache(2 ** 20);
  return { encoder, cache, encodings: new FeatureEncodings(encoder, cache) };
}

test("one encoding serves all who join it, and the cache has it before they do", async () => {
  const { encoder, cache, encodings } = held();
  const tiles = tilesOf(3);
  encodings.start(tiles.contentHash, 1, tiles.pixels);
  encodings.start(tiles.contentHash, 1, tiles.pixels);
  const joined = [1, 2, 3].map(async () => {
    await encodings.join(tiles.contentHash, neverAborted);
    return cache.read(tiles.contentHash);
  });
  encoder.calls[0]?.finish();
  for (const rows of await Promise.all(joined)) expect(rows).toEqual(featuresOf(tiles));
  expect(encoder.calls).toHaveLength(1);
  expect(encodings.has(tiles.contentHash)).toBe(false);
});

test("one who leaves takes nothing from those who stay", async () => {
  const { encoder, encodings } = held();
  const tiles = tilesOf(3);
  encodings.start(tiles.contentHash, 1, tiles.pixels);
  const leaver = new AbortController();
  const leaving = encodings.join(tiles.contentHash, leaver.signal);
  const staying = encodings.join(tiles.contentHash, neverAborted);
  leaver.abort(new Error("gone"));
  await expect(leaving).rejects.toThrow("gone");
  expect(encoder.calls[0]?.signal.aborted).toBe(false);
  encoder.calls[0]?.finish();
  expect(await staying).toEqual(featuresOf(tiles));
});

test("an encoding that all have left cannot be joined, and another may start", async () => {
  const { encoder, encodings } = held();
  const tiles = tilesOf(3);
  encodings.start(tiles.contentHash, 1, tiles.pixels);
  const leaver = new AbortController();
  const leaving = encodings.join(tiles.contentHash, leaver.signal);
  leaver.abort(new Error("gone"));
  await expect(leaving).rejects.toThrow("gone");
  expect(encoder.calls[0]?.signal.aborted).toBe(true);
  expect(encodings.has(tiles.contentHash)).toBe(false);
  encodings.start(tiles.contentHash, 1, tiles.pixels);
  const second = encodings.join(tiles.contentHash, neverAborted);
  encoder.calls[1]?.finish();
  expect(await second).toEqual(featuresOf(tiles));
  expect(encodings.has(tiles.contentHash)).toBe(false);
});

test("a fault reaches everyone, and is not kept", async () => {
  const { encoder, cache, encodings } = held();
  const tiles = tilesOf(3);
  encodings.start(tiles.contentHash, 1, tiles.pixels);
  const joined = [1, 2].map(() => encodings.join(tiles.contentHash, neverAborted));
  encoder.calls[0]?.fail(new DroverError("unavailable", "ended"));
  for (const one of joined) await expect(one).rejects.toMatchObject({ code: "unavailable" });
  expect(cache.has(tiles.contentHash)).toBe(false);
  expect(encodings.has(tiles.contentHash)).toBe(false);
});

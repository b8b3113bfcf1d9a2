import { neverAborted, type PromptImage, systemClock } from "@drover/core";
import { expect, test } from "vitest";
import {
  featuresOf,
  HIDDEN_SIZE,
  ROWS_PER_TILE,
  type Tiles,
  tilesOf,
  visionWorker,
} from "../vision/testing/vision-worker.ts";
import { RemoteFeatures } from "./feature-remote.ts";

/** The image's rows are in two runs, as those of an image of several tiles. */
function imageOf({ contentHash, tileCount }: Tiles, holder: string): PromptImage {
  const count = tileCount * ROWS_PER_TILE;
  const runs = [
    { start: 3, count: 1 },
    { start: 9, count: count - 1 },
  ];
  return { contentHash, holder, runs };
}

test("features are fetched once for all who want them, then and later", async () => {
  await using worker = await visionWorker();
  using remote = new RemoteFeatures({ clock: systemClock, hiddenSize: HIDDEN_SIZE });
  const tiles = tilesOf(5, 2);
  await worker.encode(tiles);
  const image = imageOf(tiles, worker.address);
  const [first, ...others] = await Promise.all([1, 2, 3].map(() => remote.features(image, neverAborted)));
  expect(first).toEqual(featuresOf(tiles));
  for (const other of others) expect(other).toBe(first);
  worker.stop();
  expect(await remote.features(image, neverAborted)).toBe(first);
});

test("features that this very process made are read from its cache, and are unavailable once they are gone from it", async () => {
  await using worker = await visionWorker();
  const local = worker.cache;
  const tiles = tilesOf(5);
  const rows_aD = featuresOf(tiles);
  local.put(tiles.contentHash, rows_aD);
  using remote = new RemoteFeatures({ clock: systemClock, hiddenSize: HIDDEN_SIZE, local });
  expect(await remote.features(imageOf(tiles, worker.address), neverAborted)).toBe(rows_aD);
  await expect(remote.features(imageOf(tilesOf(6), worker.address), neverAborted)).rejects.toMatchObject({
    code: "unavailable",
  });
});

test("features that are gone, or whose holder is, are unavailable", async () => {
  const worker = await visionWorker();
  using remote = new RemoteFeatures({ clock: systemClock, hiddenSize: HIDDEN_SIZE });
  const image = imageOf(tilesOf(5), worker.address);
  await expect(remote.features(image, neverAborted)).rejects.toMatchObject({ code: "unavailable" });
  await worker[Symbol.asyncDispose]();
  await expect(remote.features(image, neverAborted)).rejects.toMatchObject({ code: "unavailable" });
});

test("another number of rows than the prompt has places for is unavailable, not shortened", async () => {
  await using worker = await visionWorker();
  using remote = new RemoteFeatures({ clock: systemClock, hiddenSize: HIDDEN_SIZE });
  const tiles = tilesOf(5, 2);
  await worker.encode(tiles);
  for (const tileCount of [1, 3]) {
    const image = imageOf({ ...tiles, tileCount }, worker.address);
    await expect(remote.features(image, neverAborted)).rejects.toMatchObject({ code: "unavailable" });
  }
  expect(await remote.features(imageOf(tiles, worker.address), neverAborted)).toEqual(featuresOf(tiles));
});

test("one who leaves gets the signal's reason, and those who stay get the features", async () => {
  await using worker = await visionWorker();
  using remote = new RemoteFeatures({ clock: systemClock, hiddenSize: HIDDEN_SIZE });
  const tiles = tilesOf(5);
  await worker.encode(tiles);
  const image = imageOf(tiles, worker.address);
  const leaver = new AbortController();
  const leaving = remote.features(image, leaver.signal);
  const staying = remote.features(image, neverAborted);
  leaver.abort(new Error("the request was cancelled"));
  await expect(leaving).rejects.toThrow("the request was cancelled");
  expect(await staying).toEqual(featuresOf(tiles));
});

test("more holders than connections are all reached", async () => {
  using remote = new RemoteFeatures({
    clock: systemClock,
    hiddenSize: HIDDEN_SIZE,
    connectionsMax: 1,
    fetchedBytesMax: 0,
  });
  await using one = await visionWorker();
  await using other = await visionWorker();
  const tiles = tilesOf(5);
  for (const worker of [one, other]) await worker.encode(tiles);
  for (const worker of [one, other, one, other]) {
    expect(await remote.features(imageOf(tiles, worker.address), neverAborted)).toEqual(featuresOf(tiles));
  }
});

import { type ImageProcessor, neverAborted } from "@drover/core";
import { expect, test } from "vitest";
import { ImageOpener } from "./image-opener.ts";

/** Counts what is fetched and cut; a URL's text is its file. */
function countingOpener(cacheBytesMax?: number) {
  const counts = { fetched: 0, cut: 0 };
  const fetcher = {
    fetch: async (url: string) => {
      counts.fetched += 1;
      return Uint8Array.from(Buffer.from(url.replace(/^.*:/, "")));
    },
  };
  const processor: ImageProcessor = {
    process: async (file) => {
      counts.cut += 1;
      return {
        grid: { rows: 1, cols: 1 },
        tileSize: 1,
        pixels: new Uint8Array(file.length),
        contentHash: `cut ${file}`,
      };
    },
  };
  return {
    counts,
    opener: new ImageOpener({ fetcher, processor, ...(cacheBytesMax === undefined ? {} : { cacheBytesMax }) }),
  };
}

test("bytes that were seen before are not cut again, under whatever URL they come", async () => {
  const { counts, opener } = countingOpener();
  const first = await opener.open("one:same", neverAborted);
  expect(await opener.open("two:same", neverAborted)).toBe(first);
  expect(await opener.open("one:other", neverAborted)).not.toEqual(first);
  expect(counts).toEqual({ fetched: 3, cut: 2 });
});

test("without room for tiles every image is cut", async () => {
  const { counts, opener } = countingOpener(0);
  for (let round = 0; round < 3; round++) await opener.open("one:same", neverAborted);
  expect(counts).toEqual({ fetched: 3, cut: 3 });
});

test("a caller that has gone gets no tiles", async () => {
  const { counts, opener } = countingOpener();
  await expect(opener.open("one:same", AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  expect(counts.cut).toBe(0);
});

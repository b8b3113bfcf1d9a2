import { createHash } from "node:crypto";
import { join } from "node:path";
import { neverAborted } from "@drover/core";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/write-safetensors.ts";
import { HashThreads } from "./hash-threads.ts";

test("threads hash any part of a file, and a file that ends before its part is named", async () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 7) % 251);
  await using folder = await temporaryFolder({ "some.weights": bytes });
  const path = join(folder.path, "some.weights");
  await using threads = new HashThreads(2);
  const parts: [number, number][] = [
    [0, 300],
    [17, 60],
    [299, 300],
  ];
  const found = await Promise.all(parts.map(([start, end]) => threads.hash(path, start, end, neverAborted)));
  const expected = parts.map(([start, end]) => createHash("sha256").update(bytes.subarray(start, end)).digest("hex"));
  expect(found).toEqual(expected);
  await expect(threads.hash(path, 0, 301, neverAborted)).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringMatching(/some\.weights: ends at byte 300/),
  });
});

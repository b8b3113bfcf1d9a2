import { expect, test } from "vitest";
import { kvSize } from "./kv-size.ts";
import { maverick, scout } from "./testing/models.ts";

const GIB = 2 ** 30;

test.each([
  [8192, 0.375],
  [131_072, 6],
  [1_048_576, 48],
  [10_485_760, 480],
])("%d tokens take whole global layers and one chunk of the others", (tokens, globalGib) => {
  for (const model of [maverick, scout]) {
    expect(kvSize(model, tokens, 512, "bf16")).toEqual({
      tokens,
      globalBytes: globalGib * GIB,
      chunkedBytes: 1.125 * GIB,
      totalBytes: (globalGib + 1.125) * GIB,
    });
  }
});

test("the first token takes a block in every layer", () => {
  expect(kvSize(scout, 1, 512, "bf16").totalBytes).toBe(48 * 64 * 4096);
});

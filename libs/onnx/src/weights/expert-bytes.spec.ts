import type { LinearWeight } from "@drover/llama4";
import { expect, test } from "vitest";
import { expertBytes } from "./expert-bytes.ts";

const range = (length: number) => ({ offset: 0, length });
const mapped = (prepared: number | null): LinearWeight => ({
  kind: "mapped",
  bits: 4,
  blockSize: 32,
  parts: [0, 1].map(() => ({
    file: "/f",
    rowCount: 1,
    packed: range(40),
    scales: range(10),
    prepared: prepared === null ? null : { key: "k", range: range(prepared) },
  })),
});

test.each<[string, LinearWeight, number]>([
  ["f32", { kind: "f32", data: new Float32Array(25) }, 100],
  [
    "quantized",
    { kind: "quantized", bits: 4, blockSize: 32, packed: new Uint8Array(60), scales: new Float32Array(10) },
    100,
  ],
  ["mapped", mapped(null), 100],
  ["mapped and prepared", mapped(70), 140],
])("an expert in %s takes what both of its matrices do", async (_, linear, bytes) => {
  const weights = { expert: async () => ({ gateUp: linear, down: linear }) };
  expect(await expertBytes({ moeLayers: [1, 3] }, weights)).toBe(2 * bytes);
  expect(await expertBytes({ moeLayers: [] }, weights)).toBe(0);
});

import type { ModelConfig } from "@drover/checkpoint";
import type { ModelWeights } from "@drover/onnx";
import { expect, test } from "vitest";
import { expertCountMax } from "./expert-memory.ts";

type Expert = Awaited<ReturnType<ModelWeights["expert"]>>;

const config = { moeLayers: [1, 3] } as unknown as ModelConfig;
const count = (linear: Expert["down"], bytesMax: number | undefined) =>
  expertCountMax(config, { expert: async () => ({ gateUp: linear, down: linear }) }, bytesMax);

const range = (length: number) => ({ offset: 0, length });
const mapped = (prepared: number | null): Expert["down"] => ({
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

test.each<[string, Expert["down"], number]>([
  ["f32", { kind: "f32", data: new Float32Array(25) }, 100],
  [
    "quantized",
    { kind: "quantized", bits: 4, blockSize: 32, packed: new Uint8Array(60), scales: new Float32Array(10) },
    100,
  ],
  ["mapped", mapped(null), 100],
  ["mapped and prepared", mapped(70), 140],
])("memory holds as many %s experts as both of their matrices fit", async (_, linear, bytes) => {
  expect(await count(linear, 5 * 2 * bytes)).toBe(5);
  expect(await count(linear, 5 * 2 * bytes - 1)).toBe(4);
});

test("no limit is 0, and a limit never is", async () => {
  expect(await count(mapped(null), undefined)).toBe(0);
  expect(await count(mapped(null), 1)).toBe(1);
});

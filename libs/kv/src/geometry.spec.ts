import { expect, test } from "vitest";
import { contextTokensMax, kvBytes, kvBytesPeak, kvGeometry } from "./geometry.ts";

const maverick = kvGeometry(
  { isGlobalLayer: Array.from({ length: 48 }, (_, i) => i % 4 === 3), chunkSize: 8192, kvHeadCount: 8, headDim: 128 },
  "bf16",
);
const GIB = 2 ** 30;

test("a 1,048,576-token Maverick request counts 48 GiB for its global layers, and 49.125 GiB just before the last chunk is dropped", () => {
  expect(kvBytes(maverick, 1_048_576, 1_048_576) / GIB).toBe(48);
  expect(kvBytes(maverick, 1_048_575, 1_048_576) / GIB).toBe(49.125);
});

test("an int8 row has a byte for each number and a scale for its keys and its values of each head", () => {
  const shape = { isGlobalLayer: [true], chunkSize: 8192, kvHeadCount: 8, headDim: 128 };
  expect(kvGeometry(shape, "int8").rowBytes).toBe(2 * 8 * (128 + 4));
  expect(kvGeometry(shape, "f32").rowBytes).toBe(2 * maverick.rowBytes);
});

test("chunked layers hold only the rows since the last boundary", () => {
  expect(kvBytes(maverick, 8192, 8192)).toBe(12 * 8192 * 4096);
  expect(kvBytes(maverick, 8191, 8191)).toBe(48 * 8192 * 4096);
  expect(kvBytes(maverick, 8192, 8193)).toBe((12 * (8192 + 64) + 36 * 64) * 4096);
});

test("the longest context that fits is the last one whose peak fits", () => {
  const bytes = 3 * GIB;
  const longest = contextTokensMax(maverick, bytes, 512);
  expect(kvBytesPeak(maverick, longest, 512)).toBeLessThanOrEqual(bytes);
  expect(kvBytesPeak(maverick, longest + 1, 512)).toBeGreaterThan(bytes);
});

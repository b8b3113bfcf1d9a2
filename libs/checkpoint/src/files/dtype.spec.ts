import { expect, test } from "vitest";
import { toF32 } from "./dtype.ts";

const bytesOfWords = (...words: number[]) => new Uint8Array(Uint16Array.from(words).buffer);

test("a bf16 is the upper half of an f32", () => {
  expect([...toF32(bytesOfWords(0x3f80, 0xc000, 0x0000, 0x7f80, 0x3dcd), "BF16")]).toEqual([
    1,
    -2,
    0,
    Number.POSITIVE_INFINITY,
    Math.fround(0.10009765625),
  ]);
});

test("an f16 is read as IEEE 754 has it, subnormals and infinities too", () => {
  const values = toF32(bytesOfWords(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0xfc00, 0x7e00), "F16");
  expect([...values]).toEqual([1, -2, 65504, 2 ** -24, 2 ** -14, Number.NEGATIVE_INFINITY, Number.NaN]);
});

test("every float8_e4m3fn has its value: 448 at most, 2^-9 at least, no infinities", () => {
  const values = toF32(
    Uint8Array.from({ length: 256 }, (_, byte) => byte),
    "F8_E4M3",
  );
  expect(values[0x38]).toBe(1);
  expect(values[0x7e]).toBe(448);
  expect(values[0x01]).toBe(2 ** -9);
  expect(values[0x08]).toBe(2 ** -6);
  expect(values[0xb9]).toBe(-1.125);
  expect(values[0x7f]).toBeNaN();
  for (let byte = 1; byte < 0x7f; byte++) {
    expect(values[byte]).toBeGreaterThan(values[byte - 1] ?? Number.NaN);
    expect(values[byte | 0x80]).toBe(-(values[byte] ?? 0));
  }
});

test("bytes convert alike at any offset in their buffer", () => {
  const source = Float32Array.of(1.5, -3, 1e-20);
  const shifted = new Uint8Array(13);
  shifted.set(new Uint8Array(source.buffer), 1);
  expect(toF32(shifted.subarray(1), "F32")).toEqual(source);
  expect(toF32(shifted.subarray(3, 13), "BF16")).toEqual(toF32(shifted.slice(3, 13), "BF16"));
  // A Buffer's own slice is a view, which would stay where it cannot be read from.
  expect(toF32(Buffer.from(shifted.buffer, 1, 12), "F32")).toEqual(source);
  expect(toF32(Buffer.from(shifted.buffer, 3, 10), "BF16")).toEqual(toF32(shifted.slice(3, 13), "BF16"));
});

/** Element types of the safetensors format, in bits. A checkpoint may hold any of them (packed integers, masks); only some are weights. */
const DTYPE_BITS = {
  F64: 64,
  F32: 32,
  F16: 16,
  BF16: 16,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
  I64: 64,
  I32: 32,
  I16: 16,
  I8: 8,
  U64: 64,
  U32: 32,
  U16: 16,
  U8: 8,
  BOOL: 8,
  C64: 64,
} as const;
export type Dtype = keyof typeof DTYPE_BITS;

/** Types that {@link toF32} converts. */
export const WEIGHT_DTYPES = ["F32", "BF16", "F16", "F8_E4M3"] as const satisfies readonly Dtype[];
export type WeightDtype = (typeof WEIGHT_DTYPES)[number];

export function isDtype(name: unknown): name is Dtype {
  return typeof name === "string" && Object.hasOwn(DTYPE_BITS, name);
}

export function isWeightDtype(dtype: Dtype): dtype is WeightDtype {
  return WEIGHT_DTYPES.some((known) => known === dtype);
}

/** Bytes of so many elements; not whole for a shape that cuts a byte. */
export function bytesOf(dtype: Dtype, elementCount: number): number {
  return (DTYPE_BITS[dtype] / 8) * elementCount;
}

/** Converts raw little-endian bytes to f32; FP8's scales are the caller's. F32 is a view of the same bytes where they are aligned. */
export function toF32(bytes: Uint8Array, dtype: WeightDtype): Float32Array {
  // Not slice(): that of a Buffer is a view.
  const aligned = bytes.byteOffset % 4 === 0 || dtype === "F8_E4M3" ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset, byteLength } = aligned;
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case "BF16":
      return bf16ToF32(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "F16":
      return f16ToF32(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "F8_E4M3":
      return f8ToF32(aligned);
  }
}

/** A bf16 is the upper half of an f32. */
export function bf16ToF32(source: Uint16Array, out: Float32Array = new Float32Array(source.length)): Float32Array {
  const bits = new Uint32Array(out.buffer, out.byteOffset, source.length);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] ?? 0) << 16;
  return out;
}

function f16ToF32(source: Uint16Array): Float32Array {
  const out = new Float32Array(source.length);
  for (let i = 0; i < source.length; i++) out[i] = f16Value(source[i] ?? 0);
  return out;
}

/** IEEE 754 binary16. */
function f16Value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function f8ToF32(source: Uint8Array): Float32Array {
  const out = new Float32Array(source.length);
  for (let i = 0; i < source.length; i++) out[i] = F8_E4M3[source[i] ?? 0] ?? 0;
  return out;
}

/** float8_e4m3fn: bias 7, no infinities, 0x7f and 0xff are NaN. Source: arXiv 2209.05433. */
const F8_E4M3 = Float32Array.from({ length: 256 }, (_, byte) => {
  const sign = byte & 0x80 ? -1 : 1;
  const exponent = (byte >> 3) & 15;
  const fraction = byte & 7;
  if (exponent === 15 && fraction === 7) return Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -9 : sign * (1 + fraction / 8) * 2 ** (exponent - 7);
});

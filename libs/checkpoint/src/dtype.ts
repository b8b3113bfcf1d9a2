/** Element types of safetensors that hold weights. */
export const DTYPE_BYTES = { F32: 4, F16: 2, BF16: 2, F8_E4M3: 1 } as const;
export type Dtype = keyof typeof DTYPE_BYTES;

export function isDtype(name: string): name is Dtype {
  return name in DTYPE_BYTES;
}

/** Dequantizes raw little-endian bytes to f32; FP8's scales are the caller's. `bytes` may stand at any offset. */
export function toF32(bytes: Uint8Array, dtype: Dtype): Float32Array {
  // Not slice(): that of a Buffer is a view.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  switch (dtype) {
    case "F32":
      return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
    case "BF16":
      return bf16ToF32(new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2));
    case "F16":
      return Float32Array.from(new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2), f16ToF32);
    case "F8_E4M3": {
      const out = new Float32Array(bytes.length);
      for (let i = 0; i < bytes.length; i++) out[i] = F8_E4M3[bytes[i] ?? 0] ?? 0;
      return out;
    }
  }
}

/** A bf16 is the upper half of an f32. */
export function bf16ToF32(source: Uint16Array, out: Float32Array = new Float32Array(source.length)): Float32Array {
  const bits = new Uint32Array(out.buffer, out.byteOffset, source.length);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] ?? 0) << 16;
  return out;
}

function f16ToF32(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** float8_e4m3fn: bias 7, no infinities, 0x7f and 0xff are NaN. Source: arXiv 2209.05433. */
const F8_E4M3 = Float32Array.from({ length: 256 }, (_, byte) => {
  const sign = byte & 0x80 ? -1 : 1;
  const exponent = (byte >> 3) & 15;
  const fraction = byte & 7;
  if (exponent === 15 && fraction === 7) return Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -9 : sign * (1 + fraction / 8) * 2 ** (exponent - 7);
});

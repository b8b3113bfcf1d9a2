/** At most this many freed buffers of one size are kept for reuse: allocating zeroes them again and feeds the garbage collector. */
const SPARE_BUFFERS_MAX = 256;
const SPARE_BYTES_MAX = 64 * 2 ** 20;

/** Buffers that were used and may be again. */
export class SpareBuffers {
  readonly #byLength = new Map<number, Float32Array[]>();
  #byteCount = 0;

  /** A buffer of exactly `length` floats with arbitrary contents. */
  take(length: number): Float32Array {
    const spare = this.#byLength.get(length)?.pop();
    if (spare === undefined) return new Float32Array(length);
    this.#byteCount -= spare.byteLength;
    return spare;
  }

  /** Nobody uses it any more. */
  give(buffer: Float32Array): void {
    const spares = this.#byLength.get(buffer.length) ?? [];
    if (spares.length >= SPARE_BUFFERS_MAX || this.#byteCount + buffer.byteLength > SPARE_BYTES_MAX) return;
    spares.push(buffer);
    this.#byteCount += buffer.byteLength;
    this.#byLength.set(buffer.length, spares);
  }
}

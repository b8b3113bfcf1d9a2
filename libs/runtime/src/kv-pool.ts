import { assert } from "@drover/core";

/** At most this many freed buffers of one size are kept for reuse: allocating zeroes them again and feeds the garbage collector. */
const SPARE_BUFFERS_MAX = 256;
const SPARE_BYTES_MAX = 64 * 2 ** 20;

/** Hands out KV buffers under one limit in bytes. What is accounted is what is allocated to sequences. */
export class KvPool {
  readonly bytesMax: number;
  #bytesUsed = 0;
  readonly #spare = new Map<number, Float32Array[]>();
  #spareBytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytesUsed(): number {
    return this.#bytesUsed;
  }

  /** Whether `bytes` more are there. */
  has(bytes: number): boolean {
    return this.#bytesUsed + bytes <= this.bytesMax;
  }

  /** A buffer of exactly `length` floats with arbitrary contents. Bug when the limit is passed: ask `has` first. */
  allocate(length: number): Float32Array {
    assert(this.has(length * 4), "the KV pool is asked before it is used");
    this.#bytesUsed += length * 4;
    const spare = this.#spare.get(length)?.pop();
    if (spare === undefined) return new Float32Array(length);
    this.#spareBytes -= length * 4;
    return spare;
  }

  free(buffer: Float32Array): void {
    this.#bytesUsed -= buffer.byteLength;
    assert(this.#bytesUsed >= 0, "a KV buffer is freed once");
    const spares = this.#spare.get(buffer.length) ?? [];
    if (spares.length >= SPARE_BUFFERS_MAX || this.#spareBytes + buffer.byteLength > SPARE_BYTES_MAX) return;
    spares.push(buffer);
    this.#spareBytes += buffer.byteLength;
    this.#spare.set(buffer.length, spares);
  }
}

import { SPARE_BUFFERS_MAX, SPARE_BYTES_MAX } from "../limits.ts";
import type { KvLayout, KvRows } from "./kv-rows.ts";

/** Buffers that were used and may be again. */
export class SpareBuffers {
  readonly #layout: KvLayout;
  readonly #byCapacity = new Map<number, KvRows[]>();
  #byteCount = 0;

  constructor(layout: KvLayout) {
    this.#layout = layout;
  }

  /** A buffer of exactly `capacity` rows with arbitrary contents. */
  take(capacity: number): KvRows {
    const spare = this.#byCapacity.get(capacity)?.pop();
    if (spare === undefined) return this.#layout.allocate(capacity);
    this.#byteCount -= spare.bytes.byteLength;
    return spare;
  }

  /** Nobody uses it any more. */
  give(buffer: KvRows, capacity: number): void {
    const { byteLength } = buffer.bytes;
    const spares = this.#byCapacity.get(capacity) ?? [];
    if (spares.length >= SPARE_BUFFERS_MAX || this.#byteCount + byteLength > SPARE_BYTES_MAX) return;
    spares.push(buffer);
    this.#byteCount += byteLength;
    this.#byCapacity.set(capacity, spares);
  }
}

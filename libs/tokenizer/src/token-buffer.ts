import { TOKEN_BUFFER_KEPT_MAX, TOKEN_BUFFER_MIN } from "./limits.ts";

/** A growing list of token ids. */
export class TokenBuffer {
  #ids = new Uint32Array(TOKEN_BUFFER_MIN);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(id: number): void {
    if (this.#length === this.#ids.length) {
      const grown = new Uint32Array(2 * this.#length);
      grown.set(this.#ids);
      this.#ids = grown;
    }
    this.#ids[this.#length++] = id;
  }

  at(index: number): number {
    return this.#ids[index] ?? 0;
  }

  clear(): void {
    this.#length = 0;
    // One huge text must not hold its memory for ever.
    if (this.#ids.length > TOKEN_BUFFER_KEPT_MAX) this.#ids = new Uint32Array(TOKEN_BUFFER_MIN);
  }

  /** A copy of the ids, which owns its memory. */
  toArray(): Uint32Array {
    return this.#ids.slice(0, this.#length);
  }
}

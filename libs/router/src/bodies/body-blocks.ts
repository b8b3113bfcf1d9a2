import { BODY_BLOCK_BYTES } from "../limits.ts";

/** A gRPC message's flag and length, which lie before it. */
const MESSAGE_HEAD_BYTES = 5;

/** A body's bytes in buffers of its own, as they come: what is handed to a thread is not copied again. */
export class BodyBlocks {
  readonly #blocks: Uint8Array<ArrayBuffer>[] = [];
  #free = new Uint8Array(0);
  byteLength = 0;

  /** Takes over bytes that lie in a buffer of their own, as large messages do; others are copied. */
  static of(bytes: Uint8Array): BodyBlocks {
    const made = new BodyBlocks();
    const { buffer, byteOffset, byteLength } = bytes;
    if (buffer instanceof ArrayBuffer && byteLength > 0 && buffer.byteLength - byteLength <= MESSAGE_HEAD_BYTES) {
      made.#blocks.push(new Uint8Array(buffer, byteOffset, byteLength));
      made.byteLength = byteLength;
    } else made.append(bytes);
    return made;
  }

  /** Copies a chunk behind the others. */
  append(chunk: Uint8Array): void {
    this.byteLength += chunk.byteLength;
    let rest = chunk;
    while (rest.byteLength > 0) {
      if (this.#free.byteLength === 0) this.#open(rest.byteLength);
      const part = rest.subarray(0, this.#free.byteLength);
      this.#free.set(part);
      this.#free = this.#free.subarray(part.byteLength);
      rest = rest.subarray(part.byteLength);
    }
  }

  /** All bytes in order; the last block ends with them. */
  get blocks(): readonly Uint8Array<ArrayBuffer>[] {
    const last = this.#blocks.length - 1;
    return this.#blocks.map((block, i) =>
      i < last ? block : block.subarray(0, block.byteLength - this.#free.byteLength),
    );
  }

  /** A first small body needs no large block. */
  #open(byteLength: number): void {
    const block = new Uint8Array(this.#blocks.length === 0 ? Math.min(byteLength, BODY_BLOCK_BYTES) : BODY_BLOCK_BYTES);
    this.#blocks.push(block);
    this.#free = block;
  }
}

/** The blocks as one, in a buffer of its own. */
export function joined(blocks: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [first] = blocks;
  if (blocks.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(blocks.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const block of blocks) {
    whole.set(block, at);
    at += block.byteLength;
  }
  return whole;
}

import { PAYLOAD_ROOM_BYTES } from "./limits.ts";

/**
 * A payload is the bytes that a message is mostly made of, with room before them for the rest of it: so it is sent
 * without being copied. The room is used once; sent again, a payload is copied like any other bytes.
 */
export class Payload extends Uint8Array<ArrayBuffer> {
  #hasRoom = true;

  /** Views of a payload are plain bytes: what stands before them is not free. */
  static get [Symbol.species](): Uint8ArrayConstructor {
    return Uint8Array;
  }

  /** Bytes with whatever was in them, aligned for numbers of 8 bytes. */
  static allocate(byteCount: number): Payload {
    const { buffer, byteOffset } = Buffer.allocUnsafe(PAYLOAD_ROOM_BYTES + byteCount);
    return new Payload(buffer, byteOffset + PAYLOAD_ROOM_BYTES, byteCount);
  }

  /** `byteCount` bytes and the payload behind them; undefined when there is no room for so many, or not any more. */
  behind(byteCount: number): Buffer | undefined {
    if (!this.#hasRoom || byteCount > PAYLOAD_ROOM_BYTES) return undefined;
    this.#hasRoom = false;
    return Buffer.from(this.buffer, this.byteOffset - byteCount, byteCount + this.byteLength);
  }
}

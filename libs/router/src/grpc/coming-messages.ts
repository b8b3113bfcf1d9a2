import { assert, DroverError } from "@drover/core";
import type { Bodies } from "../bodies/bodies.ts";
import type { BodyHold } from "../bodies/body-budget.ts";
import { DEFLATE_RATIO_MAX, MESSAGE_PIECE_BYTES } from "../limits.ts";

/** A message's flag, which says whether it is packed, and its length. Source: gRPC over HTTP/2, "Length-Prefixed-Message". */
const HEAD_BYTES = 5;

/** The messages of one call, counted from their first bytes until who handles them takes them, or the call is over. */
export class ComingMessages implements Disposable {
  readonly #bodies: Bodies;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headByteCount = 0;
  /** Of the message that is coming, behind its head. */
  #missingByteCount = 0;
  #coming: BodyHold | undefined;
  /** Of messages that have come whole, in order. */
  readonly #whole: BodyHold[] = [];
  /** Of those that are with their handler, which may never take them. */
  readonly #given = new Set<BodyHold>();

  constructor(bodies: Bodies) {
    this.#bodies = bodies;
  }

  /** Counts bytes as they come. Returns whether a message has come in part. Errors: those of a body's hold, at a message's head where it says too much. */
  add(chunk: Buffer): boolean {
    for (let at = 0; at < chunk.byteLength; )
      at += this.#coming === undefined ? this.#addHead(chunk, at) : this.#addBytes(this.#coming, chunk.byteLength - at);
    return this.#headByteCount > 0;
  }

  /** The next message is read; it stays counted until `Bodies.take` has it. Errors: those of a body's hold. */
  read(message: unknown): void {
    const hold = this.#whole.shift();
    assert(hold !== undefined, "a message is read after its last bytes have come");
    if (!(message instanceof Uint8Array)) {
      hold[Symbol.dispose]();
      return;
    }
    this.#given.add(hold);
    hold.become(message.byteLength);
    this.#bodies.give(message, () => (this.#given.delete(hold) ? hold : undefined));
  }

  /** The call is over: what nobody has taken is gone. */
  [Symbol.dispose](): void {
    for (const hold of [this.#coming, ...this.#whole, ...this.#given]) hold?.[Symbol.dispose]();
    this.#coming = undefined;
    this.#whole.length = 0;
    this.#given.clear();
  }

  #addHead(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#head, this.#headByteCount, at, at + HEAD_BYTES - this.#headByteCount);
    this.#headByteCount += copied;
    if (this.#headByteCount === HEAD_BYTES) this.#begin();
    return copied;
  }

  get #byteLength(): number {
    return this.#head.readUInt32BE(1);
  }

  #begin(): void {
    const { bytesMax } = this.#bodies;
    if (this.#byteLength > bytesMax)
      throw new DroverError("payload_too_large", `the message may have at most ${bytesMax} bytes`);
    this.#coming = this.#bodies.hold();
    this.#coming.check(this.#byteLength);
    this.#missingByteCount = this.#byteLength;
    if (this.#missingByteCount === 0) this.#end(this.#coming);
  }

  #addBytes(hold: BodyHold, most: number): number {
    const byteCount = Math.min(this.#missingByteCount, most);
    hold.add(byteCount + MESSAGE_PIECE_BYTES);
    this.#missingByteCount -= byteCount;
    if (this.#missingByteCount === 0) this.#end(hold);
    return byteCount;
  }

  #end(hold: BodyHold): void {
    const isPacked = this.#head[0] === 1;
    // While it is unpacked nobody counts: all that it may become is counted before.
    const { heldBytesMax } = this.#bodies;
    hold.become(isPacked ? Math.min(this.#byteLength * DEFLATE_RATIO_MAX, heldBytesMax) : this.#byteLength);
    this.#whole.push(hold);
    this.#coming = undefined;
    this.#headByteCount = 0;
  }
}

import { once } from "node:events";
import type { FastifyReply } from "fastify";

const NOT_ASCII = /[\u0080-\uffff]/;

/** A comment, which clients of server-sent events pass over. */
const WAITING = ": waiting\n\n";

/**
 * A reply of server-sent events. Headers go out with the first text, so that an earlier failure still has its HTTP status; where that takes
 * longer than `waitMsMax` they go out with a comment, and one follows each time as long: clients give up on a server without a sign.
 */
export class EventStream implements Disposable {
  readonly #reply: FastifyReply;
  readonly #waitMsMax: number;
  #timer: NodeJS.Timeout;
  #wroteMs = performance.now();
  #begun = false;
  /** An event of which more is to come: nothing may come in between. */
  #isWithin = false;

  constructor(reply: FastifyReply, waitMsMax: number) {
    this.#reply = reply;
    this.#waitMsMax = waitMsMax;
    this.#timer = setTimeout(() => this.#showLife(), waitMsMax);
  }

  /** Whether the headers are out: what fails from now on is told in the stream. */
  get begun(): boolean {
    return this.#begun;
  }

  /** A part of an event, until `endParts`. False as `write`. */
  writePart(text: string): boolean {
    this.#isWithin = true;
    return this.write(text);
  }

  endParts(): void {
    this.#isWithin = false;
  }

  /** False when the client should be waited for: see {@link room}. */
  write(text: string): boolean {
    const { raw } = this.#reply;
    this.#wroteMs = performance.now();
    if (!this.#begun) {
      this.#begun = true;
      this.#reply.hijack();
      raw.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
      });
      return raw.write(text);
    }
    // Node writes a chunk in four pieces, each with its own bookkeeping: as one string it costs a third less. Without a socket, another reply of
    // the connection goes first.
    const { socket } = raw;
    if (socket === null || !raw.chunkedEncoding || text === "") return raw.write(text);
    // Nothing but ASCII: that is copied as it is.
    const isAscii = !NOT_ASCII.test(text);
    const byteCount = isAscii ? text.length : Buffer.byteLength(text);
    const chunk = `${byteCount.toString(16)}\r\n${text}\r\n`;
    return isAscii ? socket.write(chunk, "latin1") : socket.write(chunk);
  }

  /** A timer that is set anew with every text would be set some thousand times a second. */
  #showLife(): void {
    const leftMs = this.#wroteMs + this.#waitMsMax - performance.now();
    if (leftMs <= 0 && !this.#isWithin) this.write(WAITING);
    this.#timer = setTimeout(() => this.#showLife(), leftMs <= 0 ? this.#waitMsMax : leftMs);
  }

  /** Resolves when the client has taken what was written, or is gone. Rejects when the signal aborts. */
  async room(signal: AbortSignal): Promise<void> {
    const { raw } = this.#reply;
    const { socket } = raw;
    const waits = [once(raw, "drain", { signal }), once(raw, "close", { signal })];
    if (socket !== null) waits.push(once(socket, "drain", { signal }));
    await Promise.race(waits);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

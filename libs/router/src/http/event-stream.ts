import type { FastifyReply } from "fastify";

/** A comment, which clients of server-sent events pass over. */
const WAITING = ": waiting\n\n";

/**
 * A reply of server-sent events. Headers go out with the first text, so that an earlier failure still has its HTTP status; where that takes
 * longer than `waitMsMax` they go out with a comment, and one follows each time as long: clients give up on a server without a sign.
 */
export class EventStream implements Disposable {
  readonly #reply: FastifyReply;
  readonly #timer: NodeJS.Timeout;
  #begun = false;

  constructor(reply: FastifyReply, waitMsMax: number) {
    this.#reply = reply;
    this.#timer = setInterval(() => this.write(WAITING), waitMsMax);
  }

  /** Whether the headers are out: what fails from now on is told in the stream. */
  get begun(): boolean {
    return this.#begun;
  }

  /** False when the client should be waited for. */
  write(text: string): boolean {
    if (!this.#begun) {
      this.#begun = true;
      this.#reply.hijack();
      this.#reply.raw.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
      });
    }
    this.#timer.refresh();
    return this.#reply.raw.write(text);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

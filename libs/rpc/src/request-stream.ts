import { DroverError, sleepUnlessAborted } from "@drover/core";
import { PendingCalls } from "@drover/exchange";
import { REQUEST_SWEEP_MS, type RequestLimits } from "./limits.ts";
import { LivingStream, type LivingStreamOptions } from "./living-stream.ts";

export type RequestStreamOptions<Request, Reply> = LivingStreamOptions<Request, Reply> &
  Readonly<{ requests: RequestLimits }>;

/** Requests and their replies over a living stream, told apart by correlation ids. It lives until it is disposed. */
export class RequestStream<Request, Reply extends Readonly<{ correlationId: bigint }>> implements Disposable {
  readonly #options: RequestStreamOptions<Request, Reply>;
  readonly #stream: LivingStream<Request, Reply>;
  readonly #calls: PendingCalls<Reply>;
  readonly #ended = new AbortController();
  #retired = false;
  #isSweeping = false;

  constructor(options: RequestStreamOptions<Request, Reply>) {
    const { requests, onMessage, onDown } = options;
    this.#options = options;
    this.#calls = new PendingCalls(requests);
    this.#stream = new LivingStream({
      ...options,
      onMessage: (reply) => {
        onMessage(reply);
        this.#calls.settle(reply.correlationId, reply);
      },
      onDown: (reason, address) => {
        this.#calls.failAll();
        onDown(reason, address);
      },
    });
  }

  /** Opens the stream, until the end. */
  start(): void {
    void this.#stream.run(this.#ended.signal);
  }

  get isUp(): boolean {
    return this.#stream.isUp;
  }

  /** The peer has taken the stream. */
  up(): void {
    this.#stream.up();
  }

  /** Ends the call under way and calls again: what is unanswered is given up. */
  renew(reason: string): void {
    this.#stream.renew(reason);
  }

  /**
   * Sends a request of `byteCount` bytes and waits for its reply. Undefined, always soon: the stream is down, too much is unanswered already, the
   * reply does not come in time, or the stream breaks. Never rejects.
   */
  call(byteCount: number, request: (correlationId: bigint) => Request): Promise<Reply | undefined> {
    const { clock, requests } = this.#options;
    return new Promise((resolve) => {
      const id = this.#stream.isUp
        ? this.#calls.open(byteCount, clock.monotonic() + requests.answerMsMax, resolve)
        : undefined;
      if (id === undefined) {
        resolve(undefined);
        return;
      }
      if (!this.#isSweeping) void this.#sweep();
      this.#stream.send(request(id));
    });
  }

  /** No more calls are made; the stream ends once those under way are answered, or too late to be. */
  retire(): void {
    this.#retired = true;
    this.#endIfRetired();
  }

  /** Gives up late requests, as long as some are unanswered. */
  async #sweep(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#ended;
    this.#isSweeping = true;
    while (!signal.aborted) {
      await sleepUnlessAborted(clock, REQUEST_SWEEP_MS, signal);
      this.#calls.expire(clock.monotonic());
      this.#endIfRetired();
      if (this.#calls.callCount === 0) break;
    }
    this.#isSweeping = false;
  }

  #endIfRetired(): void {
    if (this.#retired && this.#calls.callCount === 0) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#ended.abort(new DroverError("cancelled", "the stream was closed"));
    this.#calls.failAll();
  }
}

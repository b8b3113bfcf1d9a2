import type { DroverError } from "@drover/core";
import { toServiceError } from "@drover/rpc";
import { Outbox, type WritableCall } from "./outbox.ts";

/** A call that a peer has opened, as grpc-js serves it. */
export type ServedCall<T> = WritableCall<T> &
  Readonly<{
    on(event: "end" | "cancelled" | "error", listener: () => void): unknown;
    emit(event: "error", error: object): unknown;
    end(): unknown;
  }>;

/** The scheduler's half of a stream: what it has to say, of each kind the newest, until either side ends it. */
export class ServedStream<K extends string, T> {
  readonly #call: ServedCall<T>;
  readonly #outbox: Outbox<K, T>;
  readonly #onEnd: () => void;
  #ended = false;

  /** `onEnd` is called once, however the stream ends. */
  constructor(call: ServedCall<T>, onEnd: () => void) {
    this.#call = call;
    this.#outbox = new Outbox(call);
    this.#onEnd = onEnd;
    for (const event of ["end", "cancelled", "error"] as const) call.on(event, () => this.end());
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What is put now waits for the peer, and may be replaced before it leaves. */
  get isBlocked(): boolean {
    return this.#outbox.isBlocked;
  }

  put(kind: K, message: T): void {
    this.#outbox.put(kind, message);
  }

  /** Ends the stream, with the fault where there is one. Only the first call counts. */
  end(error?: DroverError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#outbox.close();
    if (error === undefined) this.#call.end();
    else this.#call.emit("error", toServiceError(error));
    this.#onEnd();
  }
}

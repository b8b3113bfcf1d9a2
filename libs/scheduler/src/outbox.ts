/** The half of a gRPC stream that is written to. */
export type WritableCall<T> = Readonly<{
  write(message: T): boolean;
  once(event: "drain", listener: () => void): unknown;
}>;

/**
 * Writes messages of which only the newest of each kind matters. While the peer does not read, at most one of each kind is
 * kept: a slow peer costs bounded memory and gets the newest state when it reads again.
 */
export class Outbox<K extends string, T> {
  readonly #call: WritableCall<T>;
  readonly #kept = new Map<K, T>();
  #blocked = false;
  #closed = false;

  constructor(call: WritableCall<T>) {
    this.#call = call;
  }

  /** The peer does not read: of each kind the newest is kept. */
  get isBlocked(): boolean {
    return this.#blocked;
  }

  put(kind: K, message: T): void {
    if (this.#closed) return;
    if (this.#blocked) {
      this.#kept.delete(kind);
      this.#kept.set(kind, message);
      return;
    }
    this.#write(message);
  }

  /** Nothing is written from now on. */
  close(): void {
    this.#closed = true;
    this.#kept.clear();
  }

  #write(message: T): void {
    if (this.#call.write(message)) return;
    this.#blocked = true;
    this.#call.once("drain", () => this.#drained());
  }

  #drained(): void {
    this.#blocked = false;
    for (const [kind, message] of this.#kept) {
      if (this.#blocked || this.#closed) return;
      this.#kept.delete(kind);
      this.#write(message);
    }
  }
}

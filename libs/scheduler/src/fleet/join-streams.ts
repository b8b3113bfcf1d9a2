import type { DroverError } from "@drover/core";
import type { Member } from "@drover/fleet";
import type { WorkerOrder } from "@drover/wire";

/** The scheduler's half of one Join stream. */
export interface OrderSink {
  /** Of each kind of order only the newest matters. */
  send(order: WorkerOrder): void;
  /** Ends the stream with the fault. */
  end(error: DroverError): void;
}

/** The Join streams of one leadership, by the number that names each of them in a member (`Member.session`). */
export class JoinStreams {
  readonly #sinks = new Map<number, OrderSink>();
  #openedCount = 0;

  /** Returns the stream's number. */
  open(sink: OrderSink): number {
    const session = ++this.#openedCount;
    this.#sinks.set(session, sink);
    return session;
  }

  isOpen(session: number): boolean {
    return this.#sinks.has(session);
  }

  /** Says nothing to a member whose stream has ended. */
  send({ session }: Pick<Member, "session">, order: WorkerOrder): void {
    this.#sinks.get(session)?.send(order);
  }

  /** Forgets a stream; with a fault it is ended by it. */
  close(session: number, error: DroverError | undefined): void {
    if (error !== undefined) this.#sinks.get(session)?.end(error);
    this.#sinks.delete(session);
  }

  /** Ends all streams with the fault. */
  endAll(error: DroverError): void {
    for (const sink of this.#sinks.values()) sink.end(error);
  }
}

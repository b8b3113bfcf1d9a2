import { EventEmitter, on } from "node:events";
import type { DroverError } from "@drover/core";
import { fromServiceError } from "@drover/rpc";
import type { ServiceError } from "@grpc/grpc-js";

type ReadableCall<T> = Readonly<{
  on(event: "data", listener: (message: T) => void): unknown;
  on(event: "error", listener: (error: ServiceError) => void): unknown;
}>;

/** What came on a client's stream, and its fault; tests wait for what must come. */
export class Received<T> {
  readonly messages: T[] = [];
  readonly fault: Promise<DroverError>;
  readonly #changed = new EventEmitter();

  constructor(call: ReadableCall<T>) {
    call.on("data", (message) => {
      this.messages.push(message);
      this.#changed.emit("message");
    });
    this.fault = new Promise((resolve) => {
      call.on("error", (error) => resolve(fromServiceError(error)));
    });
  }

  /** The first message, of those that came and those to come, that satisfies the condition. */
  async first(condition: (message: T) => boolean): Promise<T> {
    const changes = on(this.#changed, "message");
    for (;;) {
      const found = this.messages.find(condition);
      if (found !== undefined) {
        await changes.return?.();
        return found;
      }
      await changes.next();
    }
  }
}

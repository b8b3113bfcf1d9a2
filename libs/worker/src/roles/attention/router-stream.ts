import { DroverError, type Logger, type RequestEvent, type RouterId, toDroverError } from "@drover/core";
import type { Engine, EventSink } from "@drover/engine";
import type { RouterMessage as RouterData, WorkerMessage as WorkerData } from "@drover/proto";
import { failStream } from "@drover/rpc";
import {
  type RouterMessage,
  routerMessageFromWire,
  TokenColumnsWriter,
  type WorkerMessage,
  workerMessageToWire,
} from "@drover/wire";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { UNREAD_BYTES_MAX } from "../../limits.ts";

type Stream = ServerDuplexStream<RouterData, WorkerData>;

export type RouterStreamOptions = Readonly<{
  engine: Engine;
  workerId: string;
  incarnation: string;
  modelId: string;
  /** Aborts when the worker holds nothing any more: the router is told so, and the stream ends. */
  ended: AbortSignal;
  logger: Logger;
}>;

/** One router's stream: once it has greeted, its requests' events go out, and what it cancels and asks after comes in. */
export class RouterStream implements EventSink {
  readonly #stream: Stream;
  readonly #options: RouterStreamOptions;
  /** Whose events go out here; undefined before it has greeted, and when the stream is over. */
  #router: RouterId | undefined;
  /** Undefined for a router that does not read them. */
  #columns: TokenColumnsWriter | undefined;

  private constructor(stream: Stream, options: RouterStreamOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  /** Serves the stream until the router ends it, it breaks, or the worker has ended. */
  static serve(stream: Stream, options: RouterStreamOptions): void {
    const served = new RouterStream(stream, options);
    const { ended } = options;
    const farewell = () => served.#farewell();
    ended.addEventListener("abort", farewell, { once: true });
    const over = () => {
      ended.removeEventListener("abort", farewell);
      served.#detach();
    };
    stream.on("data", (data: RouterData) => served.#receive(data));
    stream.on("end", () => {
      over();
      stream.end();
    });
    for (const event of ["cancelled", "close", "error"]) stream.on(event, over);
  }

  /** A router that does not read its events loses the stream, and resumes from the log. */
  send(events: readonly RequestEvent[]): void {
    if (this.#stream.writableLength > UNREAD_BYTES_MAX)
      this.#fail(new DroverError("overloaded", "the router does not read its tokens"));
    else if (this.#columns === undefined) this.#say({ kind: "step", events, tokens: undefined, ends: [] });
    else this.#say({ kind: "step", ...this.#columns.write(events) });
  }

  /** Its router calls again, unless it has given this call up. */
  replaced(): void {
    this.#router = undefined;
    this.#fail(new DroverError("unavailable", "another stream of the router has taken its place"));
  }

  #receive(data: RouterData): void {
    try {
      const message = routerMessageFromWire(data);
      if (message?.kind === "hello") this.#greet(message);
      else if (message?.kind === "cancel") this.#options.engine.cancel(message.requestId, message.attempt);
      else if (message?.kind === "asks" && this.#router !== undefined)
        this.#options.engine.answer(this.#router, message.resumes);
    } catch (error) {
      this.#fail(toDroverError(error));
    }
  }

  #greet(hello: Extract<RouterMessage, { kind: "hello" }>): void {
    const { modelId: wanted, routerId: router, resumes, tokenColumns } = hello;
    const { engine, workerId, incarnation, modelId, logger } = this.#options;
    if (wanted !== modelId) throw new DroverError("model_not_found", `this worker serves ${modelId}`);
    this.#say({ kind: "hello", workerId, incarnation, modelId });
    if (tokenColumns) this.#columns = new TokenColumnsWriter();
    engine.attach(router, this, resumes);
    this.#router = router;
    logger.info("router.attached", { router });
  }

  #farewell(): void {
    this.#say({ kind: "farewell" });
    this.#stream.end();
  }

  #detach(): void {
    if (this.#router !== undefined) this.#options.engine.detach(this.#router, this);
    this.#router = undefined;
  }

  #say(message: WorkerMessage): void {
    this.#stream.write(workerMessageToWire(message));
  }

  #fail(fault: DroverError): void {
    failStream(this.#stream, fault);
  }
}

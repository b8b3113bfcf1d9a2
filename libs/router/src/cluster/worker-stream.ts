import { create } from "@bufbuild/protobuf";
import { type Clock, DroverError, type Logger, type RequestId } from "@drover/core";
import {
  AttentionWorker,
  type RequestEvent,
  type Resume,
  type RouterMessage,
  RouterMessageSchema,
  type WorkerHello,
  type WorkerMessage,
} from "@drover/proto";
import { bidiStreamOf, LivingStream, STREAM_LIMITS } from "@drover/rpc";
import { REMEMBERED_CANCELS_MAX } from "../limits.ts";
import type { WorkerKey } from "../requests/request-state.ts";

export type WorkerStreamOptions = Readonly<{
  key: WorkerKey;
  workerId: string;
  incarnation: string;
  address: string;
  modelId: string;
  routerId: string;
  clock: Clock;
  logger: Logger;
  resumes: () => Resume[];
  onEvent: (event: RequestEvent) => void;
  onChange: () => void;
}>;

/** The one token stream between this router and one life of one worker. It lives until it is closed. */
export class WorkerStream {
  readonly key: WorkerKey;
  readonly workerId: string;
  readonly incarnation: string;
  readonly #options: WorkerStreamOptions;
  readonly #stream: LivingStream<RouterMessage, WorkerMessage>;
  readonly #closed = new AbortController();
  readonly #cancelled = new Map<RequestId, number>();
  #wrongLife = false;
  #left = false;
  #downSinceMs: number;

  constructor(options: WorkerStreamOptions) {
    const { key, address, clock, logger, onChange } = options;
    this.#options = options;
    this.key = key;
    this.workerId = options.workerId;
    this.incarnation = options.incarnation;
    this.#downSinceMs = clock.monotonic();
    this.#stream = new LivingStream({
      addresses: [address],
      open: bidiStreamOf(AttentionWorker.method.tokens),
      greeting: () => [this.#hello()],
      onMessage: ({ message }) => this.#take(message),
      onUp: () => {
        this.#cancelled.clear();
        logger.info("token_stream.up", { worker: key });
        onChange();
      },
      onDown: (reason) => {
        this.#downSinceMs = clock.monotonic();
        logger.warn("token_stream.down", { worker: key, reason });
        onChange();
      },
      onAway: (reason) => logger.warn("token_stream.unreachable", { worker: key, reason }),
      limits: STREAM_LIMITS.tokens,
      clock,
    });
    void this.#stream.run(this.#closed.signal);
  }

  /** The worker has said hello and the stream stands. */
  get connected(): boolean {
    return this.#stream.isUp;
  }

  /** Another life of the worker answers at its address. */
  get wrongLife(): boolean {
    return this.#wrongLife;
  }

  /** The worker has said farewell: it holds nothing of this router. */
  get left(): boolean {
    return this.#left;
  }

  /** How long the stream has been down, milliseconds; 0 while it stands. */
  downMs(nowMonotonicMs: number): number {
    return this.connected ? 0 : nowMonotonicMs - this.#downSinceMs;
  }

  /** Ends every attempt up to this one. Repeated only for a newer attempt, or when `force`d by a new sign of life. */
  cancel(requestId: RequestId, attempt: number, force = false): void {
    const before = this.#cancelled.get(requestId);
    if (!this.connected || (!force && before !== undefined && before >= attempt)) return;
    this.#cancelled.delete(requestId);
    this.#cancelled.set(requestId, attempt);
    const oldest = this.#cancelled.keys().next();
    if (this.#cancelled.size > REMEMBERED_CANCELS_MAX && !oldest.done) this.#cancelled.delete(oldest.value);
    this.#stream.send(create(RouterMessageSchema, { message: { case: "cancel", value: { requestId, attempt } } }));
  }

  close(): void {
    this.#closed.abort(new DroverError("cancelled", "the stream was closed"));
  }

  #hello(): RouterMessage {
    const { modelId, routerId, resumes } = this.#options;
    const value = { routerId, modelId, resumes: resumes() };
    return create(RouterMessageSchema, { message: { case: "hello", value } });
  }

  #take(message: WorkerMessage["message"]): void {
    if (message.case === "step") {
      if (this.connected) for (const event of message.value.events) this.#options.onEvent(event);
    } else if (message.case === "farewell") {
      this.#left = true;
    } else if (message.case === "hello") {
      this.#left = false;
      this.#accept(message.value);
    }
  }

  #accept(hello: WorkerHello): void {
    const { modelId, workerId, incarnation, onChange } = this.#options;
    this.#wrongLife = hello.workerId !== workerId || hello.incarnation !== incarnation;
    if (this.#wrongLife) onChange();
    if (this.#wrongLife || hello.modelId !== modelId) this.#stream.renew("another worker answers there");
    else this.#stream.up();
  }
}

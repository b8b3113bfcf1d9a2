import { create } from "@bufbuild/protobuf";
import { type Clock, DroverError, type Logger, type RequestId, SaidReasons } from "@drover/core";
import {
  AttentionWorker,
  type RequestEvent,
  type Resume,
  RouterMessageSchema,
  type WorkerHello,
  type WorkerMessage,
} from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { HELLO_TIMEOUT_MS, REMEMBERED_CANCELS_MAX, STREAM_BACKOFF_MS, STREAM_BACKOFF_MS_MAX } from "../limits.ts";
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

type Call = ReturnType<typeof openCall>;
const openCall = (client: RpcClient) => client.bidiStream(AttentionWorker.method.tokens);

/** The one token stream between this router and one life of one worker. It reconnects by itself until it is closed. */
export class WorkerStream {
  readonly key: WorkerKey;
  readonly workerId: string;
  readonly incarnation: string;
  readonly #options: WorkerStreamOptions;
  readonly #client: RpcClient;
  readonly #closed = new AbortController();
  readonly #cancelled = new Map<RequestId, number>();
  readonly #saidReasons = new SaidReasons();
  #call: Call | undefined;
  #connected = false;
  #wrongLife = false;
  #left = false;
  #downSinceMs: number;

  constructor(options: WorkerStreamOptions) {
    this.#options = options;
    this.key = options.key;
    this.workerId = options.workerId;
    this.incarnation = options.incarnation;
    this.#client = new RpcClient(options.address);
    this.#downSinceMs = options.clock.monotonic();
    void this.#run().catch((error: unknown) => {
      if (!this.#closed.signal.aborted) throw error;
    });
  }

  /** The worker has said hello and the stream stands. */
  get connected(): boolean {
    return this.#connected;
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
    return this.#connected ? 0 : nowMonotonicMs - this.#downSinceMs;
  }

  /** Ends every attempt up to this one. Repeated only for a newer attempt, or when `force`d by a new sign of life. */
  cancel(requestId: RequestId, attempt: number, force = false): void {
    const before = this.#cancelled.get(requestId);
    if (!this.#connected || (!force && before !== undefined && before >= attempt)) return;
    this.#cancelled.delete(requestId);
    this.#cancelled.set(requestId, attempt);
    const oldest = this.#cancelled.keys().next();
    if (this.#cancelled.size > REMEMBERED_CANCELS_MAX && !oldest.done) this.#cancelled.delete(oldest.value);
    this.#call?.write(create(RouterMessageSchema, { message: { case: "cancel", value: { requestId, attempt } } }));
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new DroverError("cancelled", "the stream was closed"));
    this.#call?.cancel();
    this.#client[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    let backoffMs = STREAM_BACKOFF_MS;
    while (!this.#closed.signal.aborted) {
      const wasConnected = await this.#once();
      backoffMs = wasConnected ? STREAM_BACKOFF_MS : Math.min(backoffMs * 2, STREAM_BACKOFF_MS_MAX);
      await clock.sleep(backoffMs, this.#closed.signal);
    }
  }

  /** One call, to its end. Returns whether the worker said hello. */
  #once(): Promise<boolean> {
    const { modelId, routerId, resumes, clock, onChange, logger } = this.#options;
    return new Promise((resolve) => {
      const call = openCall(this.#client);
      let greeted = false;
      let over = false;
      this.#call = call;
      this.#cancelled.clear();
      const timer = setTimeout(() => call.cancel(), HELLO_TIMEOUT_MS);
      const end = (reason: string) => {
        if (over) return;
        over = true;
        clearTimeout(timer);
        if (this.#connected) {
          this.#connected = false;
          this.#downSinceMs = clock.monotonic();
          if (!this.#closed.signal.aborted) logger.warn("token_stream.down", { worker: this.key, reason });
          onChange();
        } else if (!this.#closed.signal.aborted && this.#saidReasons.isNew(reason))
          logger.warn("token_stream.unreachable", { worker: this.key, reason });
        resolve(greeted);
      };
      call.on("error", (error: Error) => end(error.message));
      call.on("end", () => {
        call.cancel();
        end("the worker ended the stream");
      });
      call.on("close", () => end("closed"));
      call.on("data", (message: WorkerMessage) => {
        if (message.message.case === "step") {
          if (this.#connected) for (const event of message.message.value.events) this.#options.onEvent(event);
          return;
        }
        if (message.message.case === "farewell") this.#left = true;
        if (message.message.case !== "hello" || over) return;
        this.#left = false;
        clearTimeout(timer);
        if (!this.#accept(message.message.value)) {
          call.cancel();
          return;
        }
        greeted = true;
        this.#saidReasons.clear();
        this.#connected = true;
        logger.info("token_stream.up", { worker: this.key });
        onChange();
      });
      call.write(
        create(RouterMessageSchema, {
          message: {
            case: "hello",
            value: { routerId, modelId, resumes: resumes() },
          },
        }),
      );
    });
  }

  #accept(hello: WorkerHello): boolean {
    const { modelId, workerId, incarnation } = this.#options;
    this.#wrongLife = hello.workerId !== workerId || hello.incarnation !== incarnation;
    if (this.#wrongLife) this.#options.onChange();
    return !this.#wrongLife && hello.modelId === modelId;
  }
}

import {
  BoundedMap,
  type Clock,
  DroverError,
  type Logger,
  type ModelId,
  type RequestEvent,
  type RequestId,
  type Resume,
  type RouterId,
} from "@drover/core";
import { LivingStream, STREAM_LIMITS } from "@drover/rpc";
import { type RouterMessage, TokenColumnsReader, type WorkerMessage } from "@drover/wire";
import { REMEMBERED_CANCELS_MAX } from "../limits.ts";
import type { WorkerKey } from "../requests/request-state.ts";
import type { ClusterCalls } from "./cluster-calls.ts";

export type WorkerStreamOptions = Readonly<{
  key: WorkerKey;
  workerId: string;
  incarnation: string;
  address: string;
  calls: Pick<ClusterCalls, "tokens" | "chance">;
  modelId: ModelId;
  routerId: RouterId;
  clock: Clock;
  logger: Logger;
  resumes: () => Resume[];
  /** An event, and when the message came that brought it, on the clock's monotonic scale: a step brings one to every request. */
  onEvent: (event: RequestEvent, atMs: number) => void;
  onChange: () => void;
}>;

/** The one token stream between this router and one life of one worker. It lives until it is closed. */
export class WorkerStream {
  readonly key: WorkerKey;
  readonly workerId: string;
  readonly incarnation: string;
  readonly #options: WorkerStreamOptions;
  readonly #stream: LivingStream<RouterMessage, WorkerMessage | undefined>;
  readonly #closed = new AbortController();
  readonly #cancelled = new BoundedMap<RequestId, number>({ entriesMax: REMEMBERED_CANCELS_MAX });
  /** Of the call under way. */
  #columns = new TokenColumnsReader();
  /** Attempts that its greeting has named, until the stream is up. */
  #named: ReadonlyMap<RequestId, number> = new Map();
  #wrongLife = false;
  #left = false;
  #downSinceMs: number;

  constructor(options: WorkerStreamOptions) {
    const { key, address, calls, clock, logger, onChange } = options;
    this.#options = options;
    this.key = key;
    this.workerId = options.workerId;
    this.incarnation = options.incarnation;
    this.#downSinceMs = clock.monotonic();
    this.#stream = new LivingStream({
      addresses: [address],
      open: calls.tokens,
      greeting: () => [this.#hello()],
      onMessage: (message) => this.#take(message),
      onUp: () => {
        this.#cancelled.clear();
        this.#askAfterOthers();
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
      chance: () => calls.chance(),
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
    const upTo = Math.max(attempt, before ?? attempt);
    this.#cancelled.set(requestId, upTo);
    this.#stream.send({ kind: "cancel", requestId, attempt: upTo });
  }

  close(): void {
    this.#closed.abort(new DroverError("cancelled", "the stream was closed"));
  }

  #hello(): RouterMessage {
    const { modelId, routerId } = this.#options;
    const resumes = this.#options.resumes();
    this.#columns = new TokenColumnsReader();
    this.#named = new Map(resumes.map(({ requestId, attempt }) => [requestId, attempt]));
    return { kind: "hello", routerId, modelId, resumes, tokenColumns: true };
  }

  /**
   * Until the worker had the greeting, an older stream of this router, which it has given up, may have been attached there: whatever began since
   * may have ended on that one, unheard. What begins from now on is told here.
   */
  #askAfterOthers(): void {
    const resumes = this.#options.resumes().filter(({ requestId, attempt }) => this.#named.get(requestId) !== attempt);
    this.#named = new Map();
    if (resumes.length > 0) this.#stream.send({ kind: "asks", resumes });
  }

  #take(message: WorkerMessage | undefined): void {
    if (message?.kind === "step") {
      if (this.connected) this.#takeStep(message);
    } else if (message?.kind === "farewell") {
      this.#left = true;
    } else if (message?.kind === "hello") {
      this.#left = false;
      this.#accept(message);
    }
  }

  #takeStep({ events, tokens, ends }: Extract<WorkerMessage, { kind: "step" }>): void {
    const { onEvent, clock } = this.#options;
    const atMs = clock.monotonic();
    for (const event of events) onEvent(event, atMs);
    if (tokens !== undefined) this.#columns.read(tokens, (event) => onEvent(event, atMs));
    for (const event of ends) onEvent(event, atMs);
  }

  #accept(hello: Extract<WorkerMessage, { kind: "hello" }>): void {
    const { modelId, workerId, incarnation, onChange } = this.#options;
    this.#wrongLife = hello.workerId !== workerId || hello.incarnation !== incarnation;
    if (this.#wrongLife) onChange();
    if (this.#wrongLife || hello.modelId !== modelId) this.#stream.renew("another worker answers there");
    else this.#stream.up();
  }
}

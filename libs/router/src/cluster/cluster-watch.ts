import { create } from "@bufbuild/protobuf";
import { type Clock, DroverError, type Lane, type Logger, SaidReasons, toDroverError, withTimeout } from "@drover/core";
import {
  Cluster,
  type ClusterState,
  type ExplainReply,
  ExplainRequestSchema,
  WatchRequestSchema,
  WorkerRole,
} from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import {
  CLUSTER_STATE_AGE_MS_MAX,
  EXPLAIN_LIMIT,
  WATCH_BACKOFF_MS,
  WATCH_BACKOFF_MS_MAX,
  WATCH_SILENCE_MS,
} from "../limits.ts";

export type ClusterWatchOptions = Readonly<{
  /** Every scheduler; the one that leads answers. */
  addresses: readonly string[];
  routerId: string;
  modelId: string;
  /** Where this router is reached. */
  address: string;
  clock: Clock;
  logger: Logger;
  onState: (state: ClusterState) => void;
}>;

/** What the router knows of the cluster, from whichever scheduler leads. */
export class ClusterWatch {
  readonly #options: ClusterWatchOptions;
  readonly #closed = new AbortController();
  #state: ClusterState | undefined;
  /** The scheduler that sent it, while it is followed. */
  #leader: RpcClient | undefined;
  readonly #saidReasons = new SaidReasons();
  readonly #addedSince = new Map<Lane, number>();
  #heardMs = Number.NEGATIVE_INFINITY;

  constructor(options: ClusterWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch; ends with `close`. */
  start(): void {
    void this.#run().catch((error: unknown) => {
      if (!this.#closed.signal.aborted) throw error;
    });
  }

  /** The last state that a leader sent, however old. */
  get state(): ClusterState | undefined {
    return this.#state;
  }

  /** A request can be served, as far as a state that is not too old can tell. */
  get ready(): boolean {
    const age = this.#options.clock.monotonic() - this.#heardMs;
    return this.#state?.ready === true && age <= CLUSTER_STATE_AGE_MS_MAX;
  }

  /** The longest prompt and output together that some ready attention worker could hold; undefined while none says. */
  get contextTokensMax(): number | undefined {
    let most: number | undefined;
    for (const { roles, status } of this.#state?.workers ?? []) {
      if (!roles.includes(WorkerRole.ATTENTION) || !status?.ready || status.contextTokensMax === 0n) continue;
      most = Math.max(most ?? 0, Number(status.contextTokensMax));
    }
    return most;
  }

  /** Of the workers' checkpoint; empty before there was one. */
  get modelFingerprint(): string {
    return this.#state?.modelFingerprint ?? "";
  }

  /** How long a request that is added to the lane now is predicted to wait for a worker. */
  predictedWaitMs(lane: Lane): number {
    const state = this.#state?.lanes.find((one) => one.lane === lane);
    if (state === undefined || state.predictedWaitMs === 0n) return 0;
    // Where requests wait, those that were added since then wait before it.
    return Number(state.predictedWaitMs) + (this.#addedSince.get(lane) ?? 0) * state.waitMsPerJob;
  }

  /** A request was added to the lane: the next one waits behind it, though no state shows it yet. */
  noteAdded(lane: Lane): void {
    this.#addedSince.set(lane, (this.#addedSince.get(lane) ?? 0) + 1);
  }

  /**
   * Why a request went where it went, by the scheduler that leads. Errors: `unavailable` while none is known, `not_found` for a request
   * that it does not remember.
   */
  async explain(requestId: string, signal: AbortSignal): Promise<ExplainReply> {
    const leader = this.#leader;
    if (leader === undefined) throw new DroverError("unavailable", "no scheduler leads");
    const request = create(ExplainRequestSchema, { requestId });
    return withTimeout(EXPLAIN_LIMIT, this.#options.clock, signal, (limited) =>
      leader.unary(Cluster.method.explain, request, limited),
    );
  }

  close(): void {
    this.#closed.abort(new DroverError("cancelled", "the watch was closed"));
  }

  async #run(): Promise<void> {
    const { addresses, clock } = this.#options;
    let backoffMs = WATCH_BACKOFF_MS;
    for (let turn = 0; !this.#closed.signal.aborted; turn++) {
      // A connection of its own each time: the name may lead elsewhere by now.
      using client = new RpcClient(addresses[turn % addresses.length] ?? "");
      const heard = await this.#follow(client);
      if (this.#leader === client) this.#leader = undefined;
      if (heard) backoffMs = WATCH_BACKOFF_MS;
      // One wait for each round over all schedulers, so that a standby does not delay finding the leader.
      if (heard || (turn + 1) % addresses.length === 0) {
        await clock.sleep(backoffMs, this.#closed.signal);
        backoffMs = Math.min(backoffMs * 2, WATCH_BACKOFF_MS_MAX);
      }
    }
  }

  /** Each reason is said once, not for every call. */
  #noteEnd(scheduler: string, heard: boolean, reason: string): void {
    const { logger } = this.#options;
    if (this.#closed.signal.aborted) return;
    if (heard) this.#saidReasons.clear();
    const isNew = this.#saidReasons.isNew(reason);
    if (heard) logger.warn("watch.lost", { scheduler, reason });
    else if (isNew) logger.warn("watch.waiting", { scheduler, reason });
  }

  /** Follows one scheduler until it stops answering. Returns whether it sent a state. */
  #follow(client: RpcClient): Promise<boolean> {
    const { routerId, modelId, address, clock, onState } = this.#options;
    return new Promise((resolve) => {
      const call = client.serverStream(
        Cluster.method.watch,
        create(WatchRequestSchema, { routerId, modelId, address }),
      );
      let heard = false;
      let over = false;
      const end = (reason: string) => {
        if (over) return;
        over = true;
        clearTimeout(silence);
        this.#closed.signal.removeEventListener("abort", stop);
        this.#noteEnd(client.address, heard, reason);
        resolve(heard);
      };
      const stop = () => call.cancel();
      const silence = setTimeout(stop, WATCH_SILENCE_MS);
      this.#closed.signal.addEventListener("abort", stop, { once: true });
      call.on("error", (error: unknown) => end(toDroverError(error).message));
      call.on("end", () => end("the scheduler ended the watch"));
      call.on("close", () => end("closed"));
      call.on("data", (state: ClusterState) => {
        if (over) return;
        silence.refresh();
        // A deposed leader may still talk for a moment.
        if (this.#state !== undefined && state.leaderEpoch < this.#state.leaderEpoch && !this.#stale()) return;
        heard = true;
        this.#heardMs = clock.monotonic();
        this.#state = state;
        this.#leader = client;
        this.#addedSince.clear();
        onState(state);
      });
    });
  }

  #stale(): boolean {
    return this.#options.clock.monotonic() - this.#heardMs > WATCH_SILENCE_MS;
  }
}

import {
  type Clock,
  DroverError,
  type Lane,
  type Logger,
  type ModelId,
  type RouterId,
  withTimeout,
} from "@drover/core";
import type { ClusterState, PlacementRecord } from "@drover/fleet";
import { LivingStream, STREAM_LIMITS } from "@drover/rpc";
import { CLUSTER_STATE_AGE_MS_MAX, EXPLAIN_LIMIT } from "../limits.ts";
import type { ClusterCalls } from "./cluster-calls.ts";

export type ClusterWatchOptions = Readonly<{
  /** Every scheduler; the one that leads answers. */
  addresses: readonly string[];
  calls: ClusterCalls;
  routerId: RouterId;
  modelId: ModelId;
  clock: Clock;
  logger: Logger;
  onState: (state: ClusterState) => void;
}>;

/** What the router knows of the cluster, from whichever scheduler leads. */
export class ClusterWatch {
  readonly #options: ClusterWatchOptions;
  readonly #closed = new AbortController();
  readonly #addedSince = new Map<Lane, number>();
  #stream: LivingStream<never, ClusterState> | undefined;
  #state: ClusterState | undefined;
  #heardMs = Number.NEGATIVE_INFINITY;

  constructor(options: ClusterWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch, for a router that is reached at `address`; ends with `close`. */
  start(address: string): void {
    const { addresses, calls, routerId, modelId, clock, logger } = this.#options;
    this.#stream = new LivingStream({
      addresses,
      open: calls.watch({ routerId, modelId, address, keepsExperts: true }),
      onMessage: (state) => this.#take(state),
      onDown: (reason, scheduler) => logger.warn("watch.lost", { scheduler, reason }),
      onAway: (reason, scheduler) => logger.warn("watch.waiting", { scheduler, reason }),
      limits: STREAM_LIMITS.watch,
      clock,
      chance: () => calls.chance(),
    });
    void this.#stream.run(this.#closed.signal);
  }

  /** The last state that a leader sent, however old. */
  get state(): ClusterState | undefined {
    return this.#state;
  }

  /** The scheduler that leads tells how things are. */
  get isUp(): boolean {
    return this.#stream?.isUp ?? false;
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
      if (!roles.includes("attention") || !status?.ready || status.contextTokensMax === 0) continue;
      most = Math.max(most ?? 0, status.contextTokensMax);
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
    if (state === undefined || state.predictedWaitMs === 0) return 0;
    // Where requests wait, those that were added since then wait before it.
    return state.predictedWaitMs + (this.#addedSince.get(lane) ?? 0) * state.waitMsPerJob;
  }

  /** A request was added to the lane: the next one waits behind it, though no state shows it yet. */
  noteAdded(lane: Lane): void {
    this.#addedSince.set(lane, (this.#addedSince.get(lane) ?? 0) + 1);
  }

  /**
   * Why a request went where it went, by the scheduler that leads. Errors: `unavailable` while none is known, `not_found` for a request
   * that it does not remember.
   */
  async explain(requestId: string, signal: AbortSignal): Promise<readonly PlacementRecord[]> {
    const address = this.#stream?.address;
    if (address === undefined) throw new DroverError("unavailable", "no scheduler leads");
    const { calls, clock } = this.#options;
    return withTimeout(EXPLAIN_LIMIT, clock, signal, (limited) => calls.explain(address, requestId, limited));
  }

  close(): void {
    this.#closed.abort(new DroverError("cancelled", "the watch was closed"));
  }

  #take(state: ClusterState): void {
    const { clock, onState } = this.#options;
    const isStale = clock.monotonic() - this.#heardMs > STREAM_LIMITS.watch.silenceMsMax;
    // A deposed leader may still talk for a moment.
    if (this.#state !== undefined && state.leaderEpoch < this.#state.leaderEpoch && !isStale) return;
    this.#stream?.up();
    this.#heardMs = clock.monotonic();
    this.#state = state;
    this.#addedSince.clear();
    onState(state);
  }
}

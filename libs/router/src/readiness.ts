import type { ClusterWatch } from "./cluster/cluster-watch.ts";
import type { TokenStreams } from "./cluster/token-streams.ts";

export type ReadinessOptions = Readonly<{
  watch: Pick<ClusterWatch, "state" | "ready">;
  streams: Pick<TokenStreams, "connectedCount">;
  /** Why the queue takes nothing now; null when it does. */
  queueTrouble: () => string | null;
}>;

/** Whether a model can be served, as far as its router knows now. */
export class Readiness {
  readonly #options: ReadinessOptions;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** A request that a worker gets now can be computed. */
  get serves(): boolean {
    const { watch, streams } = this.#options;
    return watch.ready && streams.connectedCount > 0;
  }

  /** A request that comes now can be put into the queue, and computed. */
  get takes(): boolean {
    return this.serves && this.#options.queueTrouble() === null;
  }

  /** Why a request that comes now cannot be served; null when it can. */
  get unready(): string | null {
    const { watch, streams, queueTrouble } = this.#options;
    if (watch.state === undefined) return "no scheduler that leads has answered yet";
    if (!watch.ready) return "the cluster cannot serve: an expert has no holder, or no attention worker is ready";
    if (streams.connectedCount === 0) return "no attention worker is reached";
    return queueTrouble();
  }
}

import type { ClusterState, PlacementRecord } from "@drover/fleet";
import type { OpenStream } from "@drover/rpc";
import type { RouterMessage, WatchRequest, WorkerMessage } from "@drover/wire";

/** How a router reaches schedulers and attention workers. */
export interface ClusterCalls {
  /** Draws from [0, 1): what the waits between two calls are cut by. */
  chance(): number;
  /** Calls a scheduler for its state of the cluster. */
  watch(request: WatchRequest): OpenStream<never, ClusterState>;
  /** Calls an attention worker for its tokens. A message that is undefined is one that only later builds know. */
  readonly tokens: OpenStream<RouterMessage, WorkerMessage | undefined>;
  /** What a scheduler remembers of a request's placement, oldest first. Errors: the scheduler's (`not_found`); `unavailable`. */
  explain(scheduler: string, requestId: string, signal: AbortSignal): Promise<readonly PlacementRecord[]>;
}

import { type Clock, type TraceContext, type WorkerId, withTimeout } from "@drover/core";
import { AttentionWorker, type PlaceReply, type PlaceRequest } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { PLACE_LIMIT } from "../limits.ts";

/** Hands a request to a worker. */
export interface PlaceCaller extends Disposable {
  /** Errors: a DroverError whenever no reply came; the worker may have accepted all the same. */
  place(
    worker: WorkerId,
    address: string,
    request: PlaceRequest,
    signal: AbortSignal,
    trace?: TraceContext,
  ): Promise<PlaceReply>;
  /** The worker is gone. */
  forget(worker: WorkerId): void;
}

/** One connection for each worker that something was placed on. */
export class RpcPlaceCaller implements PlaceCaller {
  readonly #clock: Clock;
  readonly #clients = new Map<WorkerId, RpcClient>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  place(
    worker: WorkerId,
    address: string,
    request: PlaceRequest,
    signal: AbortSignal,
    trace?: TraceContext,
  ): Promise<PlaceReply> {
    const client = this.#client(worker, address);
    return withTimeout(PLACE_LIMIT, this.#clock, signal, (limited) =>
      client.unary(AttentionWorker.method.place, request, limited, trace),
    );
  }

  forget(worker: WorkerId): void {
    this.#clients.get(worker)?.[Symbol.dispose]();
    this.#clients.delete(worker);
  }

  [Symbol.dispose](): void {
    for (const worker of [...this.#clients.keys()]) this.forget(worker);
  }

  #client(worker: WorkerId, address: string): RpcClient {
    const known = this.#clients.get(worker);
    if (known?.address === address) return known;
    this.forget(worker);
    const client = new RpcClient(address);
    this.#clients.set(worker, client);
    return client;
  }
}

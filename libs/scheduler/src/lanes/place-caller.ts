import { type Clock, type TraceContext, type WorkerId, withTimeout } from "@drover/core";
import { AttentionWorker } from "@drover/proto";
import type { Network, RpcClient } from "@drover/rpc";
import { type PlaceRefusal, type PlaceRequest, placeReplyFromWire, placeRequestToWire } from "@drover/wire";
import { PLACE_LIMIT } from "../limits.ts";

/** Hands a request to a worker. */
export interface PlaceCaller extends Disposable {
  /** Undefined: the worker has taken the request. Errors: a DroverError whenever no reply came; it may have taken the request all the same. */
  place(
    worker: WorkerId,
    address: string,
    request: PlaceRequest,
    signal: AbortSignal,
    trace?: TraceContext,
  ): Promise<PlaceRefusal | undefined>;
  /** The worker is gone. */
  forget(worker: WorkerId): void;
}

/** One connection for each worker that something was placed on. */
export class RpcPlaceCaller implements PlaceCaller {
  readonly #clock: Clock;
  readonly #network: Network;
  readonly #clients = new Map<WorkerId, RpcClient>();

  constructor(clock: Clock, network: Network) {
    this.#clock = clock;
    this.#network = network;
  }

  async place(
    worker: WorkerId,
    address: string,
    request: PlaceRequest,
    signal: AbortSignal,
    trace?: TraceContext,
  ): Promise<PlaceRefusal | undefined> {
    const client = this.#client(worker, address);
    const reply = await withTimeout(PLACE_LIMIT, this.#clock, signal, (limited) =>
      client.carried(AttentionWorker.method.place, placeRequestToWire(request), limited, trace),
    );
    return placeReplyFromWire(reply);
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
    const client = this.#network.dial(address);
    this.#clients.set(worker, client);
    return client;
  }
}

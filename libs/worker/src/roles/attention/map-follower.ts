import { type Clock, sleepUnlessAborted } from "@drover/core";
import { type DistributedExchange, isReachable } from "@drover/exchange";
import type { ExpertMap } from "@drover/fleet";
import { MAP_CONNECT_MS, MAP_POLL_MS } from "../../limits.ts";
import { type ExpertPeers, holderMapOf } from "./expert-peers.ts";

export type MapFollowerOptions = Readonly<{
  peers: Pick<ExpertPeers, "open" | "keep" | "get">;
  exchange: Pick<DistributedExchange, "update" | "usable">;
  clock: Clock;
}>;

/**
 * Follows the scheduler's maps without a gap: a new map's holders are connected before rows go to them, while the last map, whose holders keep what
 * it names for a while, is still used. Where the last map has lost a holder, or the wait is over, the new one is taken as it is.
 */
export class MapFollower {
  readonly #options: MapFollowerOptions;
  #newest: ExpertMap | undefined;

  constructor(options: MapFollowerOptions) {
    this.#options = options;
  }

  /** Resolves when the map is in use, or a newer one has come, or the signal aborts. */
  async follow(map: ExpertMap, signal: AbortSignal): Promise<void> {
    const { peers, exchange, clock } = this.#options;
    this.#newest = map;
    peers.open(map);
    const next = holderMapOf(map);
    const untilMs = clock.monotonic() + MAP_CONNECT_MS;
    const isConnected = (id: string) => peers.get(id)?.connected ?? false;
    while (exchange.usable && !isReachable(next, isConnected) && clock.monotonic() < untilMs) {
      await sleepUnlessAborted(clock, MAP_POLL_MS, signal);
      if (signal.aborted || this.#newest !== map) return;
    }
    exchange.update(next);
    peers.keep(map);
  }
}

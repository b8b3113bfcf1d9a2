import { workerId as idOf } from "@drover/core";
import type { DistributedExchange } from "@drover/exchange";
import type { SlowPeer } from "@drover/fleet";

/** The holders of experts that answer slowly or not at all, for the scheduler and for people. */
export function slowPeers(exchange: Pick<DistributedExchange, "pacesOfPeers">): readonly SlowPeer[] {
  return exchange
    .pacesOfPeers()
    .filter(({ slowness, isSilent }) => slowness > 1 || isSilent)
    .map(({ workerId, ...state }) => ({ workerId: idOf(workerId), ...state }));
}

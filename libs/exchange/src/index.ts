export { DistributedExchange, type ExchangeObserver } from "./distributed-exchange.ts";
export type { ExpertPeer, PeerCall } from "./expert-peer.ts";
export { type HolderMap, isReachable } from "./holder-map.ts";
export { LocalContextHolder } from "./local-context-holder.ts";
export { LocalPeer } from "./local-peer.ts";
export { PendingCalls } from "./pending-calls.ts";

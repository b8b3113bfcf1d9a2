// A step's rows go to the workers that hold their experts, and come back.

export { DistributedExchange, type ExchangeObserver, type PeerState } from "./distributed-exchange.ts";
export { type HolderMap, isReachable } from "./holder-map.ts";
export { type BalancedExpert, balanceRows } from "./row-balance.ts";

// Those that answer: this very process, or another one's stream, which counts what it has asked.

export { AnswerPace } from "./answer-pace.ts";
export { gatherRows, scatterRows } from "./dispatch.ts";
export type { ExpertPeer, PeerCall } from "./expert-peer.ts";
export { LocalPeer } from "./local-peer.ts";
export { PendingCalls } from "./pending-calls.ts";

// Long contexts' segments in this very process.

export { LocalContextHolder } from "./local-context-holder.ts";

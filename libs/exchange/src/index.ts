export * from "./distributed-exchange.ts";
export * from "./expert-peer.ts";
export * from "./holder-map.ts";
export * from "./local-context-holder.ts";
export * from "./local-peer.ts";
export * from "./pending-calls.ts";

export * from "./client.ts";
export * from "./errors.ts";
export * from "./expert-frames.ts";
export * from "./expert-service.ts";
export * from "./expert-stream-peer.ts";
export * from "./server.ts";
export * from "./service.ts";
export * from "./settings.ts";

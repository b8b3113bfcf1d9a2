export * from "./local-engine.ts";
export * from "./test-redis.ts";

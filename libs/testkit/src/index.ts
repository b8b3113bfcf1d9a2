export * from "./local-engine.ts";
export * from "./recording-logger.ts";
export * from "./seeded-random.ts";
export * from "./test-redis.ts";

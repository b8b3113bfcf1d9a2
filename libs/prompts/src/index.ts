export * from "./prompt-pool.ts";

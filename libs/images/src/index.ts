export * from "./tiles-hash.ts";

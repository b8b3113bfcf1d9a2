export { BlockHashes, type HashedImage, type HashSeed, keyAt, wireOf } from "./block-hashes.ts";
export * from "./cache-events.ts";
export * from "./geometry.ts";
export * from "./kv-cache.ts";
export type { KvHandle, KvPin } from "./kv-handle.ts";
export type { KvPart } from "./kv-parts.ts";
export * from "./kv-store.ts";
export { BLOCK_HASH_BYTES, BLOCK_TOKENS } from "./limits.ts";

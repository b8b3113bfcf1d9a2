export { BlockHashes, type HashSeed, keyAt, servedModelSeed, wireOf } from "./block-hashes.ts";
export {
  type BlockSetDigest,
  type CacheDigest,
  type CacheEvent,
  type CacheOperation,
  type CacheSnapshot,
  digestOf,
} from "./cache-events.ts";
export {
  contextTokensMax,
  type KvFormat,
  type KvGeometry,
  kvBytes,
  kvBytesPeak,
  kvGeometry,
  kvHeadBytes,
  segmentRowsOf,
} from "./geometry.ts";
export { KvCache } from "./kv-cache.ts";
export { KvHandle } from "./kv-handle.ts";
export type { KvPart } from "./kv-parts.ts";
export {
  CountingStore,
  type ExtentId,
  KV_KINDS,
  type KvKind,
  type KvStore,
  layerCountOf,
  rowBytesOf,
} from "./kv-store.ts";
export { BLOCK_HASH_BYTES, BLOCK_TOKENS } from "./limits.ts";
export { sharedHashCount } from "./shared-blocks.ts";
export { ownRowsMax, segmentBytes, stripedBytes, stripeHolder } from "./stripe-assignment.ts";

// One worker's cache: sequences come and go, and what they leave is found again.

export type { EvictionPolicy } from "./eviction/policy.ts";
export { KvCache } from "./kv-cache.ts";
export type { KvCacheOptions } from "./kv-cache-options.ts";
export type { KvPart } from "./kv-parts.ts";
export type { OpenSequence } from "./open-sequence.ts";

// Where the rows are, which is a store's to say.

export { CountingStore, type ExtentId, type KvStore } from "./kv-store.ts";

// How rows are laid out, and what they cost.

export {
  contextTokensMax,
  KV_KINDS,
  type KvGeometry,
  type KvKind,
  kvBytes,
  kvBytesPeak,
  kvGeometry,
  kvHeadBytes,
  layerCountOf,
  rowBytesOf,
  segmentRowsOf,
} from "./geometry.ts";

export { type KvSettings, kvSettings } from "./kv-settings.ts";
export { KV_TOKENS_MIN } from "./limits.ts";

// What prefixes are called, everywhere in the cluster.

export { BlockHashes, type HashSeed, keyAt, servedModelSeed, wireOf } from "./block-hashes.ts";
export { BLOCK_HASH_BYTES, BLOCK_TOKENS } from "./limits.ts";
export { sharedHashCount } from "./shared-blocks.ts";

// What the cluster is told of a worker's cache.

export {
  type BlockSetDigest,
  type CacheDigest,
  type CacheEvent,
  type CacheOperation,
  type CacheSnapshot,
  digestOf,
} from "./cache-events.ts";

// Sequences whose old segments are on other workers.

export { ownRowsMax, segmentBytes, stripedBytes, stripeHolder } from "./stripe-assignment.ts";

import type { KvDtype } from "@drover/core";
import { type KvGeometry, kvBytesPeak, ownRowsMax, rowBytesOf } from "@drover/kv";
import type { StoredSequences } from "@drover/sequences";
import type { Metrics } from "@drover/telemetry";

/** Tells once what a token's KV takes in each kind of layers, and what it is kept as. */
export function tellTokenBytes(metrics: Metrics, modelName: string, geometry: KvGeometry, dtype: KvDtype): void {
  const bytes = metrics.gauge("drover_kv_token_bytes", "KV bytes of one token in all layers of a kind", [
    "model_name",
    "layers",
    "dtype",
  ]);
  for (const layers of ["global", "local"] as const)
    bytes.set({ model_name: modelName, layers, dtype }, rowBytesOf(geometry, layers));
}

/** The fields of a worker's status that say what its KV holds, and what a request takes of it. Nothing without a model. */
export function kvFacts(sequences: StoredSequences, prefillRowsMax: number, stripeAbove: number) {
  const { kvUse, kvBytesMax, cache } = sequences;
  const { geometry } = cache;
  const bytes = ({ referenced, cached }: Readonly<{ referenced: number; cached: number }>) =>
    ({ $typeName: "drover.internal.v1.KvBytes", referenced: BigInt(referenced), cached: BigInt(cached) }) as const;
  const { global, local } = kvUse;
  // Memory as placement sees it: a fixed part for chunked layers and blocks, and a slope for global layers.
  const perToken = rowBytesOf(geometry, "global");
  const fixed = kvBytesPeak(geometry, geometry.chunkRows, prefillRowsMax) - geometry.chunkRows * perToken;
  // Striped is only what context workers have room for: without any nothing is.
  const longest = sequences.stripedRowsMax;
  const stripes = sequences.isStriped(longest);
  return {
    stripeAboveTokens: BigInt(stripes ? stripeAbove : 0),
    stripedTokensKept: BigInt(stripes ? ownRowsMax(geometry, longest) : 0),
    kvBytesUsed: BigInt(global.referenced + global.cached + local.referenced + local.cached),
    kvBytesMax: BigInt(kvBytesMax),
    kvBytesPerToken: BigInt(perToken),
    kvBytesFixed: BigInt(Math.max(0, fixed)),
    globalKv: bytes(global),
    localKv: bytes(local),
  };
}

import type { WorkerStatus } from "@drover/fleet";
import { kvBytesPeak, ownRowsMax, rowBytesOf } from "@drover/kv";
import type { StoredSequences } from "@drover/sequences";

/** The part of a worker's status that says what its KV holds, and what a request takes of it. */
export function kvFacts(
  sequences: StoredSequences,
  prefillRowsMax: number,
  stripeAbove: number,
): Partial<WorkerStatus> {
  const { kvUse, kvBytesMax, cache } = sequences;
  const { geometry } = cache;
  const { global, local } = kvUse;
  // Memory as placement sees it: a fixed part for chunked layers and blocks, and a slope for global layers.
  const perToken = rowBytesOf(geometry, "global");
  const fixed = kvBytesPeak(geometry, geometry.chunkRows, prefillRowsMax) - geometry.chunkRows * perToken;
  // Striped is only what context workers have room for: without any nothing is.
  const longest = sequences.stripedRowsMax;
  const stripes = sequences.isStriped(longest);
  return {
    striping: stripes ? { aboveTokens: stripeAbove, keptTokens: ownRowsMax(geometry, longest) } : undefined,
    kvBytesUsed: global.referenced + global.cached + local.referenced + local.cached,
    kvBytesMax,
    kvBytesPerToken: perToken,
    kvBytesFixed: Math.max(0, fixed),
    globalKv: global,
    localKv: local,
  };
}

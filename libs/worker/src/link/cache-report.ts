import type { CacheDigest, CacheEvent, CacheSnapshot } from "@drover/kv";
import type { CacheChanges, CacheSnapshotPart } from "@drover/wire";
import { CACHE_FRAME_BYTES } from "../limits.ts";

/** What a worker tells the cluster of its prefix cache. `KvCache` is one. */
export interface ReportedCache {
  /** What has entered and left since the last call. */
  takeEvents(): readonly CacheEvent[];
  /** Of the cache as it is after all events, those that wait to be taken too. */
  digest(): CacheDigest;
  /** All that is cached now. */
  snapshot(): CacheSnapshot;
}

/** Events in messages of about `cacheFrameBytes`; the digest, which must be of just after them, is in the last one. */
export function changesOf(events: readonly CacheEvent[], digest: CacheDigest): CacheChanges[] {
  const frames: CacheEvent[][] = [];
  let frame: CacheEvent[] = [];
  let byteCount = 0;
  for (const event of events) {
    if (byteCount > 0 && byteCount + event.hashes.byteLength > CACHE_FRAME_BYTES) {
      frames.push(frame);
      frame = [];
      byteCount = 0;
    }
    frame.push(event);
    byteCount += event.hashes.byteLength;
  }
  return [...frames.map((each) => ({ events: each, digest: undefined })), { events: frame, digest }];
}

/** A snapshot in parts of at most `cacheFrameBytes` of hashes: one at least, the first and the last one marked. */
export function snapshotParts({ sequence, global, local }: CacheSnapshot): CacheSnapshotPart[] {
  const ofGlobal = framesOf(global).map((hashes) => ({ kind: "global" as const, hashes }));
  const ofLocal = framesOf(local).map((hashes) => ({ kind: "local" as const, hashes }));
  const frames =
    ofGlobal.length === 0 ? [{ kind: "global" as const, hashes: global }, ...ofLocal] : [...ofGlobal, ...ofLocal];
  return frames.map((frame, i) => ({ ...frame, sequence, first: i === 0, last: i === frames.length - 1 }));
}

function framesOf(hashes: Uint8Array): Uint8Array[] {
  const count = Math.ceil(hashes.byteLength / CACHE_FRAME_BYTES);
  return Array.from({ length: count }, (_, i) => hashes.subarray(i * CACHE_FRAME_BYTES, (i + 1) * CACHE_FRAME_BYTES));
}

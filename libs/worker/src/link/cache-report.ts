import { create } from "@bufbuild/protobuf";
import type { BlockSetDigest, CacheDigest, CacheEvent, CacheSnapshot } from "@drover/kv";
import {
  type CacheChanges,
  CacheChangesSchema,
  CacheEventSchema,
  type CacheSnapshotPart,
  CacheSnapshotPartSchema,
  KvKind,
} from "@drover/proto";
import { WORKER_LIMITS } from "../limits.ts";

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
export function changesMessages(events: readonly CacheEvent[], digest: CacheDigest): CacheChanges[] {
  const messages = [create(CacheChangesSchema)];
  let byteCount = 0;
  for (const { sequence, operation, kind, hashes } of events) {
    let message = messages.at(-1);
    if (message === undefined || (byteCount > 0 && byteCount + hashes.byteLength > WORKER_LIMITS.cacheFrameBytes)) {
      message = create(CacheChangesSchema);
      messages.push(message);
      byteCount = 0;
    }
    byteCount += hashes.byteLength;
    const removed = operation === "removed";
    message.events.push(
      create(CacheEventSchema, { sequence: BigInt(sequence), removed, kind: kindToWire(kind), hashes }),
    );
  }
  const last = messages.at(-1);
  if (last !== undefined) {
    const { sequence, global, local } = digest;
    last.digest = {
      $typeName: "drover.internal.v1.CacheDigest",
      sequence: BigInt(sequence),
      global: setToWire(global),
      local: setToWire(local),
    };
  }
  return messages;
}

/** A snapshot in parts of at most `cacheFrameBytes` of hashes: one at least, the first and the last one marked. */
export function snapshotMessages({ sequence, global, local }: CacheSnapshot): CacheSnapshotPart[] {
  const parts: CacheSnapshotPart[] = [];
  for (const [kind, hashes] of [
    [KvKind.GLOBAL, global],
    [KvKind.LOCAL, local],
  ] as const) {
    for (
      let at = 0;
      at < hashes.byteLength || (at === 0 && kind === KvKind.GLOBAL);
      at += WORKER_LIMITS.cacheFrameBytes
    ) {
      const part = hashes.subarray(at, at + WORKER_LIMITS.cacheFrameBytes);
      parts.push(create(CacheSnapshotPartSchema, { sequence: BigInt(sequence), kind, hashes: part }));
    }
  }
  for (const [i, part] of parts.entries()) {
    part.first = i === 0;
    part.last = i === parts.length - 1;
  }
  return parts;
}

const kindToWire = (kind: CacheEvent["kind"]): KvKind => (kind === "global" ? KvKind.GLOBAL : KvKind.LOCAL);

const setToWire = ({ low, high, count }: BlockSetDigest) =>
  ({ $typeName: "drover.internal.v1.BlockSetDigest", low, high, count: BigInt(count) }) as const;

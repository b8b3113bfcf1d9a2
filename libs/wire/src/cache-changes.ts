import { create } from "@bufbuild/protobuf";
import type { BlockSetDigest, CacheDigest, CacheEvent } from "@drover/kv";
import {
  CacheChangesSchema,
  type CacheDigest as DigestMessage,
  type CacheChanges as Message,
  type BlockSetDigest as SetMessage,
} from "@drover/proto";
import { blockHashesFromWire } from "./block-hashes.ts";
import { kvKindFromWire, kvKindToWire } from "./kv-kind.ts";
import { numberFromWire } from "./numbers.ts";
import { wireFault } from "./wire-fault.ts";

/** What has entered and left a worker's prefix cache. */
export type CacheChanges = Readonly<{
  events: readonly CacheEvent[];
  /** Of the cache after all events that the worker has sent; undefined while more of them follow. */
  digest: CacheDigest | undefined;
}>;

export function cacheChangesToWire({ events, digest }: CacheChanges): Message {
  return create(CacheChangesSchema, {
    events: events.map(({ sequence, operation, kind, hashes }) => ({
      sequence: BigInt(sequence),
      removed: operation === "removed",
      kind: kvKindToWire(kind),
      hashes,
    })),
    ...(digest && {
      digest: {
        sequence: BigInt(digest.sequence),
        global: setToWire(digest.global),
        local: setToWire(digest.local),
      },
    }),
  });
}

/** Errors: `invalid_argument`, naming the field. */
export function cacheChangesFromWire({ events, digest }: Message): CacheChanges {
  return {
    events: events.map(({ sequence, removed, kind, hashes }) => ({
      sequence: numberFromWire(sequence, "events.sequence"),
      operation: removed ? "removed" : "added",
      kind: kvKindFromWire(kind, "events.kind"),
      hashes: blockHashesFromWire(hashes, "events.hashes"),
    })),
    digest: digest && digestFromWire(digest),
  };
}

function digestFromWire({ sequence, global, local }: DigestMessage): CacheDigest {
  return {
    sequence: numberFromWire(sequence, "digest.sequence"),
    global: setFromWire(global, "digest.global"),
    local: setFromWire(local, "digest.local"),
  };
}

const setToWire = ({ low, high, count }: BlockSetDigest) => ({ low, high, count: BigInt(count) });

function setFromWire(set: SetMessage | undefined, field: string): BlockSetDigest {
  if (set === undefined) throw wireFault(field, "is missing");
  return { low: set.low, high: set.high, count: numberFromWire(set.count, `${field}.count`) };
}

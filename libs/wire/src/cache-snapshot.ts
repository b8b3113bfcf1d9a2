import { create } from "@bufbuild/protobuf";
import type { KvKind } from "@drover/kv";
import { CacheSnapshotPartSchema, type CacheSnapshotPart as Message } from "@drover/proto";
import { blockHashesFromWire } from "./block-hashes.ts";
import { kvKindFromWire, kvKindToWire } from "./kv-kind.ts";
import { numberFromWire } from "./numbers.ts";

/** A part of all that a worker has cached after its event `sequence`. Parts of one snapshot follow each other. */
export type CacheSnapshotPart = Readonly<{
  sequence: number;
  kind: KvKind;
  /** 16 bytes a block. */
  hashes: Uint8Array;
  first: boolean;
  last: boolean;
}>;

export function cacheSnapshotPartToWire({ sequence, kind, ...part }: CacheSnapshotPart): Message {
  return create(CacheSnapshotPartSchema, { ...part, sequence: BigInt(sequence), kind: kvKindToWire(kind) });
}

/** Errors: `invalid_argument`, naming the field. */
export function cacheSnapshotPartFromWire({ sequence, kind, hashes, first, last }: Message): CacheSnapshotPart {
  return {
    sequence: numberFromWire(sequence, "sequence"),
    kind: kvKindFromWire(kind, "kind"),
    hashes: blockHashesFromWire(hashes, "hashes"),
    first,
    last,
  };
}

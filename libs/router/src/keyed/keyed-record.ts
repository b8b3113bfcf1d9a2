import type { RouterId } from "@drover/core";
import type { Origin } from "./origin.ts";

/** A key that a router is answering, or that waits for one. */
export type RunningRecord = Readonly<{
  kind: "running";
  digest: string;
  origin: Origin;
  /** Rises with each router that takes it, so that no two have the same record: what is written by it is refused once another has it. */
  epoch: number;
  /** Who is at it; absent where it was let go. */
  routerId?: RouterId;
  /** Not all that its clients got is kept: nobody can go on with it. */
  isUnkept?: true;
}>;

/** What the store has of a key. */
export type KeyedRecord =
  | RunningRecord
  | Readonly<{ kind: "done"; digest: string; parts: readonly string[] }>
  /** It failed, and may be asked anew. */
  | Readonly<{ kind: "free" }>
  /** A router of an older build is at it. */
  | Readonly<{ kind: "foreign"; digest: string; aliveAtMs: number }>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** JSON, in which the kinds are told by what they have: as older builds wrote and read it. */
export function keyedRecordBytes({ kind: _, ...record }: Exclude<KeyedRecord, { kind: "foreign" }>): Uint8Array {
  return encoder.encode(JSON.stringify(record));
}

/** See {@link keyedRecordBytes}. */
export function keyedRecordOf(bytes: Uint8Array): KeyedRecord {
  const record = JSON.parse(decoder.decode(bytes)) as Partial<RunningRecord> & { parts?: string[]; aliveAtMs?: number };
  const { digest, parts, origin, epoch, routerId, isUnkept, aliveAtMs } = record;
  if (digest === undefined) return { kind: "free" };
  if (parts !== undefined) return { kind: "done", digest, parts };
  if (origin === undefined || epoch === undefined) return { kind: "foreign", digest, aliveAtMs: aliveAtMs ?? 0 };
  return { kind: "running", digest, origin, epoch, ...(routerId && { routerId }), ...(isUnkept && { isUnkept }) };
}

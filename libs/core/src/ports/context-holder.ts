import type { KvDtype } from "../kv-dtype.ts";
import type { TraceContext } from "./tracer.ts";

/** Names a sequence among all that a holder keeps parts of. */
type StripeSequenceId = string;

/**
 * One segment's rows in all global layers, in the layers' order, as they are kept: of f32 the keys' and the values' [K, rows, d], of int8 their scales
 * [K, rows] in f32 and behind these the rounded [K, rows, d]. Written rows never change.
 */
export type SegmentRows = Readonly<{
  sequenceId: StripeSequenceId;
  segment: number;
  rowCount: number;
  dtype: KvDtype;
  /** Names all that comes before its end; absent: others do not find it. */
  prefix?: string | undefined;
  layers: ReadonlyArray<Readonly<{ k: Uint8Array; v: Uint8Array }>>;
}>;

/**
 * Rows of a step that attend to what a holder has of their sequence before segment `endSegment`; all of that comes before them. It is
 * `segmentCount` segments: with others the answer would be wrong.
 */
export type StripeQuery = Readonly<{
  sequenceId: StripeSequenceId;
  endSegment: number;
  segmentCount: number;
  /** Which ones, rising: whatever else is held, such as a copy that is not read yet, is not attended to. Empty, of an older build: all before `endSegment`. */
  segments: readonly number[];
  rowCount: number;
}>;

/** Queries of one global layer (counted among these), [a, Q] row-major, the queries' rows one after the other. */
export type AttendCall = Readonly<{
  layer: number;
  queries: readonly StripeQuery[];
  q_aQ: Float32Array;
  /** The span that the call is, where it is traced. */
  trace?: TraceContext | undefined;
}>;

/** Attention over a part of the keys: [a, Q], and its log-sum-exp [a, H] by which parts are merged exactly. */
export type AttendedPart = Readonly<{ attended_aQ: Float32Array; lse_aH: Float32Array }>;

/** How single segments come to a holder from other holders, and go. */
export interface SegmentTransfer {
  /** Where other holders read what this one has. */
  readonly address: string;
  /**
   * Takes a copy of a segment that the holder at `from` has of the same sequence. False: it has no room, or the other one is not there or lacks it. A copy is
   * attended to only by queries that name it.
   */
  copy(sequenceId: StripeSequenceId, segment: number, from: string): Promise<boolean>;
  /** Lets go of one segment, and gives up a copy of it that is under way. */
  drop(sequenceId: StripeSequenceId, segment: number): void;
}

/** Names a segment: under what a holder has it. */
export type SegmentName = Readonly<{ sequenceId: StripeSequenceId; segment: number }>;

/** A segment by the prefix that ends with it. */
export type WantedSegment = Readonly<{ segment: number; prefix: string }>;

/** Which ones were there; `later`: others may be soon. */
export type TakenSegments = Readonly<{ held: readonly number[]; later: boolean }>;

/** How segments that no open sequence reads stay with a holder, for those to come. */
export interface SegmentKeeping {
  /** Bytes of the segments that the holder keeps so, of all who gave it some: they are free as well. */
  readonly bytesKept: number;
  /** No open sequence reads it: it stays for as long as nobody else needs the room, and the one that was named first goes first. */
  keep(sequenceId: StripeSequenceId, segment: number): void;
  /** Open sequences read these again: those that are named in the answer stay; the others are gone. */
  use(sequenceId: StripeSequenceId, segments: readonly number[]): Promise<readonly number[]>;
  /** Takes over what nobody reads, whoever has put it, under a name of this worker's; `later`: somebody still reads some. */
  take(sequenceId: StripeSequenceId, wanted: readonly WantedSegment[]): Promise<TakenSegments>;
  /** Kept segments that have made room for others since the last call. */
  takeGone(): readonly SegmentName[];
}

/** A worker of role `context`, as the attention worker sees it that gives it segments. Never throws for a lost peer. */
export interface ContextHolder {
  readonly workerId: string;
  readonly connected: boolean;
  /** Changes when everything that it held for this worker is gone. */
  readonly life: number;
  /** It is about to end: what it holds can be read, and it is given nothing new. */
  readonly draining: boolean;
  /** Undefined where its build, or what it is, moves no single segments. */
  readonly transfer: SegmentTransfer | undefined;
  /** Absent where its build, or what it is, keeps nothing for sequences to come. */
  readonly keeping?: SegmentKeeping | undefined;
  /** What it has room for, bytes, as far as is known. */
  readonly bytesFree: number;
  /** What it could hold were it empty, bytes. */
  readonly bytesMax: number;
  /** Stores a segment. False: there is no room, or nobody there. */
  put(rows: SegmentRows): Promise<boolean>;
  /** One row out for each row in, or undefined: no connection, no answer in time, or the holder lacks a segment. */
  attend(call: AttendCall): Promise<AttendedPart | undefined>;
  /** Lets go of everything of a sequence. */
  drop(sequenceId: StripeSequenceId): void;
}

/** Segments of other workers' sequences in this process's memory, whose calls return at once, or on its card, whose calls are promises; and attention over them. */
export interface ContextStorage {
  readonly bytesFree: number;
  readonly bytesMax: number;
  /** Global layers. */
  readonly layerCount: number;
  readonly dtype: KvDtype;
  /** Bytes of one row's keys in one layer. */
  readonly rowBytes: number;
  /** Keeps the arrays. Errors: `overloaded` when there is no room, `invalid_argument` for rows of another shape or type. */
  put(rows: SegmentRows): void | Promise<void>;
  /** Errors: `not_found` where segments are not held, `invalid_argument` for rows that do not fit the model. */
  attend(call: AttendCall): AttendedPart | Promise<AttendedPart>;
  drop(sequenceId: StripeSequenceId): void;
  /** Lets go of one segment; one that is not here is none. */
  dropSegment(sequenceId: StripeSequenceId, segment: number): void;
  /** From now on a segment has another name. One that is not here is none. */
  rename(from: SegmentName, to: SegmentName): void;
  /** A segment as it was stored; undefined where it is not here. */
  get(sequenceId: StripeSequenceId, segment: number): SegmentRows | undefined | Promise<SegmentRows | undefined>;
}

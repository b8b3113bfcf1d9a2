import { at, type TraceContext } from "@drover/core";
import { WordQueue } from "@drover/shared-memory";
import { SHARED_FRAME_BYTES_MAX, SHARED_SLOT_COUNT } from "../limits.ts";

/** What both processes understand of a segment; it changes with what is below. */
export const SEGMENT_LAYOUT = 2;

const WORD = 4;
const LINE = 64;
/** The nonce, and both queues of slots. */
const NONCE_END = LINE;
const QUEUE_BYTES = roundUp(WORD * WordQueue.wordCount(SHARED_SLOT_COUNT), LINE);
/** Pages: what is never used takes no memory. */
const PAGE = 4096;
const HEAD_BYTES = PAGE;
const ROWS_BYTES = roundUp(SHARED_FRAME_BYTES_MAX, PAGE);
const SLOT_BYTES = HEAD_BYTES + 2 * ROWS_BYTES;
const SLOTS_AT = roundUp(NONCE_END + 2 * QUEUE_BYTES, PAGE);
export const SEGMENT_BYTES = SLOTS_AT + SHARED_SLOT_COUNT * SLOT_BYTES;

/** Words of a slot's head, of which the lists follow each other behind the last. */
const HEAD = {
  turn: 0,
  answered: 1,
  status: 2,
  layer: 3,
  type: 4,
  expertCount: 5,
  rowCount: 6,
  textBytes: 7,
  lists: 8,
} as const;
const STATUS = { answered: 1, refused: 2 } as const;

/** One frame as it stands in a slot. */
export type SlotFrame = Readonly<{
  layer: number;
  activationType: number;
  experts: ArrayLike<number>;
  rowCounts: ArrayLike<number>;
  rowCount: number;
  trace: TraceContext | undefined;
}>;

/** A segment's two queues: slots that are asked for, and slots that are answered. */
export function slotQueues(segment: Uint8Array<ArrayBuffer>): Readonly<{ asked: WordQueue; answered: WordQueue }> {
  const queue = (start: number) =>
    new WordQueue(new Uint32Array(segment.buffer, segment.byteOffset + start, WordQueue.wordCount(SHARED_SLOT_COUNT)));
  return { asked: queue(NONCE_END), answered: queue(NONCE_END + QUEUE_BYTES) };
}

/** The slots of a segment, each with room for a frame's rows and their answers. The one that asks writes all but the answer, and the other one nothing but that. */
export class ExpertSlots {
  readonly #heads: readonly Uint32Array<ArrayBuffer>[];
  readonly #rows: readonly Readonly<{ z: Float32Array<ArrayBuffer>; y: Float32Array<ArrayBuffer> }>[];

  constructor({ buffer, byteOffset }: Uint8Array<ArrayBuffer>) {
    const starts = Array.from({ length: SHARED_SLOT_COUNT }, (_, slot) => byteOffset + SLOTS_AT + slot * SLOT_BYTES);
    this.#heads = starts.map((start) => new Uint32Array(buffer, start, HEAD_BYTES / WORD));
    const rows = (start: number) => new Float32Array(buffer, start, ROWS_BYTES / WORD);
    this.#rows = starts.map((start) => ({ z: rows(start + HEAD_BYTES), y: rows(start + HEAD_BYTES + ROWS_BYTES) }));
  }

  /** Rows of a slot that are asked for, and answered. */
  rows(slot: number, valueCount: number): Readonly<{ z: Float32Array<ArrayBuffer>; y: Float32Array<ArrayBuffer> }> {
    const { z, y } = at(this.#rows, slot);
    return { z: z.subarray(0, valueCount), y: y.subarray(0, valueCount) };
  }

  /** Writes what a frame is, but for its rows. False where it does not fit. */
  ask(slot: number, turn: number, frame: SlotFrame): boolean {
    const head = at(this.#heads, slot);
    const { experts, rowCounts, trace } = frame;
    const text = trace === undefined ? NO_TEXT : Buffer.from(`${trace.traceparent} ${trace.tracestate}`);
    const textAt = HEAD.lists + 2 * experts.length;
    if (WORD * textAt + text.length > HEAD_BYTES) return false;
    head[HEAD.turn] = turn;
    head[HEAD.layer] = frame.layer;
    head[HEAD.type] = frame.activationType;
    head[HEAD.expertCount] = experts.length;
    head[HEAD.rowCount] = frame.rowCount;
    head[HEAD.textBytes] = text.length;
    head.set(experts, HEAD.lists);
    head.set(rowCounts, HEAD.lists + experts.length);
    new Uint8Array(head.buffer, head.byteOffset).set(text, WORD * textAt);
    return true;
  }

  /** What is asked for in a slot, copied: it may be written to by the other process at any time. Undefined where it cannot be. */
  asked(slot: number): Readonly<{ turn: number; frame: SlotFrame }> | undefined {
    const head = this.#heads[slot];
    if (head === undefined) return undefined;
    const [turn = 0, , , layer = 0, activationType = 0, expertCount = 0, rowCount = 0, textBytes = 0] = head;
    const listsEnd = HEAD.lists + 2 * expertCount;
    if (WORD * listsEnd + textBytes > HEAD_BYTES) return undefined;
    const lists = head.slice(HEAD.lists, listsEnd);
    const [experts, rowCounts] = [lists.subarray(0, expertCount), lists.subarray(expertCount)];
    const trace = textBytes === 0 ? undefined : traceIn(head, WORD * listsEnd, textBytes);
    return { turn, frame: { layer, activationType, experts, rowCounts, rowCount, trace } };
  }

  /** Says that a slot's turn is answered, or refused. */
  answer(slot: number, turn: number, isRefused: boolean): void {
    const head = at(this.#heads, slot);
    head[HEAD.status] = isRefused ? STATUS.refused : STATUS.answered;
    head[HEAD.answered] = turn;
  }

  /** Whether a slot's turn has an answer: undefined where what was told of is another turn's. */
  isAnswered(slot: number, turn: number): boolean | undefined {
    const head = at(this.#heads, slot);
    return head[HEAD.answered] === turn ? head[HEAD.status] === STATUS.answered : undefined;
  }
}

/** Values of rows that a slot has room for. */
export const SLOT_VALUES_MAX = ROWS_BYTES / WORD;

const NO_TEXT = new Uint8Array(0);

function traceIn(head: Uint32Array<ArrayBuffer>, start: number, byteCount: number): TraceContext {
  const text = Buffer.from(head.buffer, head.byteOffset + start, byteCount).toString();
  const end = text.indexOf(" ");
  return { traceparent: text.slice(0, end), tracestate: text.slice(end + 1) };
}

function roundUp(byteCount: number, step: number): number {
  return Math.ceil(byteCount / step) * step;
}

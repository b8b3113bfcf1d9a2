import type { SharedRoom } from "@drover/core";
import { LINK_ROWS_MAX } from "../limits.ts";

const WORD = 4;
const PAGE = 4096;

/** Words of a link's memory, each in a line of its own that one side writes; behind the nonce that it begins with. */
const WORDS = {
  /** The asking card: calls that were asked for, counted. */
  asked: 32,
  /** The asking process: whether a step is under way; and in another line whether the answering one sleeps. */
  stepping: 64,
  asleep: 96,
  /** The answering card or process: calls that were answered, and whether the last was refused. Then the asking process: whether the answering one is gone. */
  answered: 128,
  refused: 129,
  gone: 130,
  /** The asking process: its card's id. */
  card: 160,
  /** The asking card: the layer's place, rows of the step, and each row's expert or -1. */
  head: 192,
} as const;
const CARD_BYTES = 16;
/** Numbers of a head before its list. */
const HEAD_LIST = 2;

/** Bytes of a link's memory, for rows of this width. */
export function linkBytes(width: number): number {
  return PAGE + 2 * rowsBytes(width);
}

function rowsBytes(width: number): number {
  return Math.ceil((WORD * LINK_ROWS_MAX * width) / PAGE) * PAGE;
}

/** One call as it stands in a link's memory: a copy, since the other process may write there at any time. */
export type LinkCall = Readonly<{ moeIndex: number; rowCount: number; experts: Int32Array }>;

/** A link's memory as this process reads and writes it. */
export class LinkMemory {
  readonly room: SharedRoom;
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #head: Int32Array<ArrayBuffer>;
  readonly #card: Uint8Array<ArrayBuffer>;

  constructor(room: SharedRoom) {
    const { buffer, byteOffset } = room.bytes;
    this.room = room;
    this.#words = new Uint32Array(buffer, byteOffset, PAGE / WORD);
    this.#head = new Int32Array(buffer, byteOffset + WORD * WORDS.head, HEAD_LIST + LINK_ROWS_MAX);
    this.#card = new Uint8Array(buffer, byteOffset + WORD * WORDS.card, CARD_BYTES);
  }

  /** The asking card's id, of 32 hexadecimal digits. */
  get card(): string {
    return Buffer.from(this.#card).toString("hex");
  }

  set card(id: string) {
    this.#card.set(Buffer.from(id, "hex"));
  }

  get askedCount(): number {
    return Atomics.load(this.#words, WORDS.asked);
  }

  get answeredCount(): number {
    return Atomics.load(this.#words, WORDS.answered);
  }

  get isStepping(): boolean {
    return Atomics.load(this.#words, WORDS.stepping) === 1;
  }

  /** The call that was asked for last. Undefined where its rows cannot be so many. */
  call(): LinkCall | undefined {
    const [moeIndex = -1, rowCount = 0] = this.#head;
    if (rowCount < 1 || rowCount > LINK_ROWS_MAX) return undefined;
    return { moeIndex, rowCount, experts: this.#head.slice(HEAD_LIST, HEAD_LIST + rowCount) };
  }

  /** A step begins that may ask. Returns whether the other side is to be woken. */
  begin(): boolean {
    Atomics.store(this.#words, WORDS.stepping, 1);
    return Atomics.exchange(this.#words, WORDS.asleep, 0) === 1;
  }

  end(): void {
    Atomics.store(this.#words, WORDS.stepping, 0);
  }

  /** The answering process goes to sleep. False where a step is under way. */
  sleep(): boolean {
    Atomics.store(this.#words, WORDS.asleep, 1);
    if (!this.isStepping) return true;
    Atomics.store(this.#words, WORDS.asleep, 0);
    return false;
  }

  /** The call that was asked for last has no answer. */
  refuse(count: number): void {
    Atomics.store(this.#words, WORDS.refused, 1);
    Atomics.store(this.#words, WORDS.answered, count);
  }

  /** Whether nobody waits for answers any more. */
  get isLeft(): boolean {
    return Atomics.load(this.#words, WORDS.gone) === 1;
  }

  /** Whatever is waited for has no answer. */
  leave(): void {
    Atomics.store(this.#words, WORDS.gone, 1);
  }
}

/** Where the parts of a link's memory are for kernels, given where it begins for them. */
export function linkAddresses(start: bigint, width: number) {
  const word = (index: number) => start + BigInt(WORD * index);
  const z = start + BigInt(PAGE);
  return {
    asked: word(WORDS.asked),
    answered: word(WORDS.answered),
    head: word(WORDS.head),
    z,
    y: z + BigInt(rowsBytes(width)),
  };
}

import { at } from "@drover/core";
import type { RowDraw } from "@drover/sampling";
import type { CudaDevice, DeviceAddress, HostMemory, Stream } from "../driver/cuda-device.ts";
import type { ModelKernels } from "../kernels/model-kernels.ts";
import { DRAW_VALUES_MAX, DRAW_WORDS_MAX, HEAD_ROWS_MAX } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { HeadRun } from "./text-program.ts";

/** A draw from one of a step's wanted rows, by its place among these. */
export type PlacedDraw = Readonly<{ place: number; draw: RowDraw }>;

/** A token that was drawn, and its raw logit. */
export type DrawnRow = Readonly<{ tokenId: number; logit: number }>;

/** Bytes of draw.cu's Draw, numbers of f64 that it begins with, and of one number; and bytes of its Drawn. */
const [DRAW_BYTES, DRAW_VALUES, WORD, VALUE] = [104, 7, 4, 8];
export const DRAWN_BYTES = 12;

/** The draws of a step whose tokens a card chooses by itself: what it is told of them, and what it answers, in pinned memory. */
export class StepDraws {
  readonly #device: CudaDevice;
  readonly #kernels: ModelKernels;
  readonly #rowsMax: number;
  readonly #vocabSize: number;
  readonly #card: Readonly<Record<"told" | "drawn" | "scores", DeviceAddress>>;
  /** Of a step, and of the one that is enqueued behind it, in turns. */
  readonly #turns: readonly [DrawTurn, DrawTurn];

  /** `rowsMax`: of the largest step. */
  constructor(
    card: Readonly<{ device: CudaDevice; memory: DeviceMemory; kernels: ModelKernels }>,
    { rowsMax, vocabSize }: Readonly<{ rowsMax: number; vocabSize: number }>,
  ) {
    const { device, memory } = card;
    this.#device = device;
    this.#kernels = card.kernels;
    this.#rowsMax = rowsMax;
    this.#vocabSize = vocabSize;
    const bytes = { told: toldBytes(rowsMax), drawn: rowsMax * DRAWN_BYTES };
    this.#card = {
      told: memory.allocate("exchange", bytes.told),
      drawn: memory.allocate("exchange", bytes.drawn),
      scores: memory.allocate("activations", WORD * HEAD_ROWS_MAX * vocabSize),
    };
    const turn = (): DrawTurn => {
      const memory = device.allocateHost(bytes.told);
      return { memory, told: new Told(memory, rowsMax), drawn: device.allocateHost(bytes.drawn), draws: [] };
    };
    this.#turns = [turn(), turn()];
  }

  /** Where the card has what comes of the draws of the last step: a record for each draw, which begins with its token. */
  get drawn(): DeviceAddress {
    return this.#card.drawn;
  }

  /** A step begins. Returns the places of draws that there is no room for, and of which nothing is drawn here. `turn`: of two steps on their way each has its own, 0 or 1. */
  begin(draws: readonly PlacedDraw[], turn = 0): readonly number[] {
    const own = at(this.#turns, turn);
    own.told.clear();
    const taken = draws.filter(({ place, draw }) => own.told.add(draw, place % HEAD_ROWS_MAX));
    own.draws = taken;
    const known = new Set(taken.map(({ place }) => place));
    return draws.flatMap(({ place }) => (known.has(place) ? [] : [place]));
  }

  /** Enqueues what the card is told of the step's draws. */
  send(stream: Stream, turn = 0): void {
    const { draws, memory, told } = at(this.#turns, turn);
    if (draws.length === 0) return;
    this.#device.copyFromHost(this.#card.told, memory, 0, told.byteCount, stream);
  }

  /** Enqueues the draws from a run of the head, whose logits [count, V] are there, and the copy of what comes of them. */
  enqueue({ first, count }: HeadRun, logits: DeviceAddress, stream: Stream, turn = 0): void {
    const { draws, drawn: answers, ...own } = at(this.#turns, turn);
    const from = draws.findIndex(({ place }) => place >= first);
    const drawCount = draws.filter(({ place }) => place >= first && place < first + count).length;
    if (drawCount === 0) return;
    const { told, drawn, scores } = this.#card;
    this.#kernels.draw(drawCount, {
      logits,
      scores,
      draws: told + BigInt(from * DRAW_BYTES),
      words: told + BigInt(own.told.wordsAt),
      values: told + BigInt(own.told.valuesAt),
      drawn: drawn + BigInt(from * DRAWN_BYTES),
      vocabSize: this.#vocabSize,
    });
    const answer = from * DRAWN_BYTES;
    this.#device.copyToHost(answers, answer, drawn + BigInt(answer), drawCount * DRAWN_BYTES, stream);
  }

  /** What came of the step's draws once they have come, by the wanted rows' places; undefined: the token is the CPU's to say. */
  answers(turn = 0): ReadonlyMap<number, DrawnRow | undefined> {
    const { draws, drawn } = at(this.#turns, turn);
    const { buffer, byteOffset } = drawn.bytes;
    const view = new DataView(buffer, byteOffset, this.#rowsMax * DRAWN_BYTES);
    return new Map(
      draws.map(({ place }, i) => {
        const [from, isLittle] = [i * DRAWN_BYTES, true];
        const row = { tokenId: view.getInt32(from, isLittle), logit: view.getFloat32(from + WORD, isLittle) };
        return [place, view.getInt32(from + 2 * WORD, isLittle) === 1 ? row : undefined];
      }),
    );
  }

  close(): void {
    for (const { memory, drawn } of this.#turns) for (const host of [memory, drawn]) this.#device.freeHost(host);
  }
}

/** What one step tells the card, and what it answers. */
type DrawTurn = {
  readonly memory: HostMemory;
  readonly told: Told;
  readonly drawn: HostMemory;
  draws: readonly PlacedDraw[];
};

function toldBytes(rowsMax: number): number {
  return rowsMax * DRAW_BYTES + DRAW_VALUES_MAX * VALUE + DRAW_WORDS_MAX * WORD;
}

/** Draws as draw.cu reads them: the draws, then biases, then lists of words. */
class Told {
  readonly valuesAt: number;
  readonly wordsAt: number;
  readonly #draws: DataView;
  readonly #values: Float64Array;
  readonly #words: Int32Array;
  readonly #rowsMax: number;
  #count = 0;
  #valueCount = 0;
  #wordCount = 0;

  constructor({ bytes }: HostMemory, rowsMax: number) {
    this.#rowsMax = rowsMax;
    this.valuesAt = rowsMax * DRAW_BYTES;
    this.wordsAt = this.valuesAt + DRAW_VALUES_MAX * VALUE;
    this.#draws = new DataView(bytes.buffer, bytes.byteOffset, this.valuesAt);
    this.#values = new Float64Array(bytes.buffer, bytes.byteOffset + this.valuesAt, DRAW_VALUES_MAX);
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset + this.wordsAt, DRAW_WORDS_MAX);
  }

  /** Bytes that are in use. */
  get byteCount(): number {
    return this.wordsAt + this.#wordCount * WORD;
  }

  clear(): void {
    [this.#count, this.#valueCount, this.#wordCount] = [0, 0, 0];
  }

  /** A draw from a row of its run's logits. False where there is no room. */
  add(draw: RowDraw, row: number): boolean {
    const { allowed, banned, biases, seen, output } = draw;
    const words = (allowed?.length ?? 0) + banned.length + biases.length + seen.length + 2 * output.length;
    if (this.#count === this.#rowsMax || this.#wordCount + words > DRAW_WORDS_MAX) return false;
    if (this.#valueCount + biases.length > DRAW_VALUES_MAX) return false;
    const { temperature, exponentLeast, topP, share, repetitionPenalty, presencePenalty, frequencyPenalty } = draw;
    const numbers = [temperature, exponentLeast, topP, share, repetitionPenalty, presencePenalty, frequencyPenalty];
    const from = this.#count * DRAW_BYTES;
    for (const [i, number] of numbers.entries()) this.#draws.setFloat64(from + i * VALUE, number, true);
    const mask = allowed === undefined ? -1 : this.#put(allowed);
    const biasValues = this.#valueCount;
    for (const [, bias] of biases) this.#values[this.#valueCount++] = bias;
    const lists = [
      ...[this.#put(banned), banned.length],
      ...[this.#put(biases.map(([id]) => id)), biases.length, biasValues],
      ...[this.#put(seen), seen.length],
      ...[this.#put(output.flat()), output.length],
    ];
    const integers = [row, draw.topK, mask, ...lists];
    for (const [i, integer] of integers.entries())
      this.#draws.setInt32(from + DRAW_VALUES * VALUE + i * WORD, integer, true);
    this.#count += 1;
    return true;
  }

  /** Where a list begins. */
  #put(words: ArrayLike<number>): number {
    const place = this.#wordCount;
    this.#words.set(words, place);
    this.#wordCount += words.length;
    return place;
  }
}

import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import { type PlacedDraw, StepDraws } from "./step-draws.ts";
import type { RankedRow, StepOutputs } from "./step-outputs.ts";
import { type HeadRun, headRuns, type TextProgram } from "./text-program.ts";

/** What is asked of a step: rows whose likeliest tokens are wanted, of each the id whose logit is asked for, and how many likeliest. */
export type Question = Readonly<{
  wanted: Int32Array;
  asked: Int32Array;
  topCount: number;
  /** Which of the wanted are to have all of their logits, ascending. */
  whole: readonly number[];
  /** Draws from wanted rows that the card makes, ascending; undefined: none. */
  draws?: readonly PlacedDraw[];
}>;

type HeadParts = Readonly<{
  device: CudaDevice;
  stream: Stream;
  program: TextProgram;
  outputs: StepOutputs;
  draws: StepDraws;
  /** Logits of a run of the head, [HEAD_ROWS_MAX, V]. */
  logits: DeviceAddress;
  vocabSize: number;
}>;

/** A step's runs of the head, and what is made of their logits before the next run overwrites them. */
export class StepHeads {
  readonly #parts: HeadParts;

  constructor(parts: HeadParts) {
    this.#parts = parts;
  }

  /** A step begins that nothing is computed before. Returns whether the card draws all of its tokens. */
  begin({ whole, draws = [] }: Question): boolean {
    const left = this.#parts.draws.begin(draws);
    this.#parts.outputs.expectLogits([...whole, ...left].sort((a, b) => a - b));
    return whole.length + left.length === 0;
  }

  /** A step begins while the one before it, of whose tokens the card draws all, is computed. False, with nothing changed for that one, where the card does not draw all of this one's. */
  follow({ whole, draws = [] }: Question, turn: number): boolean {
    return whole.length === 0 && this.#parts.draws.begin(draws, turn).length === 0;
  }

  /**
   * Of each wanted row of a step that was enqueued, all of whose tokens the card draws in one run of the head, where its token is: in the list of likeliest ones, or, negative, -1 less the place of its
   * draw.
   */
  tokenPlaces({ draws = [] }: Question, { count, topCount }: HeadRun): Int32Array {
    const places = Int32Array.from({ length: count }, (_, row) => row * topCount);
    for (const [i, { place }] of draws.entries()) places[place] = -1 - i;
    return places;
  }

  /** Where the card has what comes of the last step's draws. */
  get drawn(): DeviceAddress {
    return this.#parts.draws.drawn;
  }

  /** Enqueues the head for all wanted rows, or what follows one run that a graph of so many rows has enqueued. */
  enqueue({ wanted, topCount }: Question, recorded: HeadRun | undefined, turn: number): readonly HeadRun[] {
    const { program, outputs, draws, logits, stream } = this.#parts;
    const heads = recorded === undefined ? headRuns(wanted.length, topCount) : [recorded];
    draws.send(stream, turn);
    for (const run of heads) {
      if (recorded === undefined) program.head(run);
      outputs.fetchLogits(run, stream);
      draws.enqueue(run, logits, stream, turn);
    }
    return heads;
  }

  /**
   * The wanted rows once they have come. A row whose token the card has not drawn for certain gets its logits, which is rare: this thread waits for them. Where a step that was enqueued behind
   * it may have overwritten them, it is unsure.
   */
  answer(heads: readonly HeadRun[], topCount: number, turn: number, isFollowed: boolean): readonly RankedRow[] {
    const { outputs, draws } = this.#parts;
    const rows = heads.flatMap((run) => outputs.rows(run, topCount, turn));
    const drawn = heads.length === 0 ? new Map<number, undefined>() : draws.answers(turn);
    const unsure = [...drawn].flatMap(([place, row]) => (row === undefined ? [place] : []));
    if (isFollowed) return rows.map((row, i) => ({ ...row, drawn: drawn.get(i), isUnsure: unsure.includes(i) }));
    const logits = this.#logitsOf(heads, unsure);
    return rows.map((row, place) => ({ ...row, drawn: drawn.get(place), logits: logits.get(place) ?? row.logits }));
  }

  close(): void {
    this.#parts.draws.close();
  }

  /** Whole rows of logits behind a step; of several runs of the head, of which the last one's are left, they are made again. */
  #logitsOf(heads: readonly HeadRun[], places: readonly number[]): ReadonlyMap<number, Float32Array> {
    const { device, stream, program, logits, vocabSize } = this.#parts;
    const found = new Map<number, Float32Array>();
    for (const run of heads) {
      const own = places.filter((place) => place >= run.first && place < run.first + run.count);
      if (own.length === 0) continue;
      if (heads.length > 1) program.head(run);
      device.synchronize(stream);
      for (const place of own) {
        const row = new Float32Array(vocabSize);
        device.read(logits + BigInt((place - run.first) * row.byteLength), new Uint8Array(row.buffer));
        found.set(place, row);
      }
    }
    return found;
  }
}

/** Makes {@link StepHeads} with room for the draws of a step. */
export function stepHeads(
  parts: Omit<HeadParts, "draws"> & Omit<ConstructorParameters<typeof StepDraws>[0], "device">,
  rowsMax: number,
): StepHeads {
  const { device, memory, kernels, vocabSize } = parts;
  return new StepHeads({ ...parts, draws: new StepDraws({ device, memory, kernels }, { rowsMax, vocabSize }) });
}

import {
  assert,
  at,
  type Clock,
  type EntryResult,
  type ExpertExchange,
  neverAborted,
  type PendingStep,
  type Step,
  type StepEntry,
  type StepResult,
  type StepRunner,
} from "@drover/core";
import { type KvKind, type KvPart, segmentRowsOf } from "@drover/kv";
import { type StoredSequence, stored } from "@drover/sequences";
import { drawn, embedded, expertInput, expertOf, GEOMETRY, keptRow, MODEL } from "./model.ts";
import type { SimStorage } from "./sim-storage.ts";

/** Rows of an entry within the step: the step's rows lie one entry behind the other. */
type Rows = Readonly<{ entry: StepEntry; sequence: StoredSequence; from: number; words: readonly number[] }>;

export type SimRunnerOptions = Readonly<{
  storage: SimStorage;
  exchange: ExpertExchange;
  clock: Clock;
  /** How many times as long as usual its steps take. */
  slowness: () => number;
}>;

/** What a step takes, and each of its rows, milliseconds. */
const STEP_MS = 4;
const ROW_MS = 0.1;

/** Computes the simulated model: asks experts over the real exchange, writes rows where the real cache says, and draws tokens from the rows that it finds. */
export class SimRunner implements StepRunner {
  readonly hiddenSize = MODEL.hiddenSize;
  readonly #options: SimRunnerOptions;

  constructor(options: SimRunnerOptions) {
    this.#options = options;
  }

  get usable(): boolean {
    return this.#options.exchange.usable;
  }

  submit(step: Step): PendingStep {
    return { result: () => this.#run(step) };
  }

  async #run({ entries }: Step): Promise<StepResult> {
    const { clock, slowness } = this.#options;
    const beganMs = clock.monotonic();
    let from = 0;
    const rows = entries.map((entry) => {
      const first = entry.sequence.length;
      const words = [...entry.tokenIds].map((tokenId, i) => embedded(tokenId, first + i));
      from += words.length;
      return { entry, sequence: stored(entry.sequence), from: from - words.length, words };
    });
    const answers: Float32Array[] = [];
    const missing = new Set<number>();
    for (const layer of MODEL.moeLayers) answers.push(await this.#ask(layer, rows, from, missing));
    const askedMs = clock.monotonic();
    await clock.sleep((STEP_MS + from * ROW_MS) * slowness(), neverAborted);
    const results = rows.map((each): EntryResult => {
      const isMissing = each.words.some((_, i) => missing.has(each.from + i));
      return isMissing ? { kind: "parked" } : this.#computed(each, answers);
    });
    const totalMs = clock.monotonic() - beganMs;
    return { entries: results, times: { computeMs: totalMs, exchangeMs: askedMs - beganMs, totalMs } };
  }

  async #ask(layer: number, rows: readonly Rows[], rowCount: number, missing: Set<number>): Promise<Float32Array> {
    const z_aD = new Float32Array(rowCount * this.hiddenSize);
    const expert_a = new Int32Array(rowCount).fill(-1);
    for (const { from, words } of rows) {
      for (const [i, word] of words.entries()) {
        z_aD.set(expertInput(word, layer), (from + i) * this.hiddenSize);
        // As a real step does: who has lost a row in one layer asks for none in the next.
        if (!missing.has(from + i)) expert_a[from + i] = expertOf(word, layer);
      }
    }
    const result = await this.#options.exchange.exchange({ layer, z_aD, expert_a, rowCount });
    for (const row of result.missing) missing.add(row);
    return result.y_aD;
  }

  #computed({ entry, sequence, from, words }: Rows, answers: readonly Float32Array[]): EntryResult {
    const first = sequence.length;
    for (const [i, word] of words.entries()) {
      const sums = answers.map((y_aD) => {
        let sum = 0;
        for (let d = 0; d < this.hiddenSize; d++) sum += at(y_aD, (from + i) * this.hiddenSize + d);
        return sum;
      });
      for (const kind of ["global", "local"] as const) this.#write(sequence, kind, first + i, keptRow(word, sums));
    }
    const { draw } = entry;
    const end = first + words.length;
    const tokens =
      draw === undefined
        ? []
        : [
            {
              tokenId: drawn(
                this.#seen(sequence, "global", end),
                this.#seen(sequence, "local", end),
                draw.choice,
                draw.index,
              ),
              logprobs: undefined,
            },
          ];
    return { kind: "computed", rowCount: words.length, tokens, prompt: [], experts: new Uint16Array(0) };
  }

  #write(sequence: StoredSequence, kind: KvKind, position: number, word: number): void {
    if (position < sequence.writeFrom(kind)) return;
    const segment = Math.floor(position / segmentRowsOf(GEOMETRY, kind === "global"));
    const part = sequence.parts(kind, segment).findLast((each) => each.position <= position);
    assert(part !== undefined && position < part.position + part.rowCount, "a row is reserved before it is used");
    this.#options.storage.write(part.extent, part.firstRow + position - part.position, word);
  }

  /** The rows that the query at `end - 1` sees in layers of a kind, ascending. */
  *#seen(sequence: StoredSequence, kind: KvKind, end: number): Iterable<number> {
    const segmentRows = segmentRowsOf(GEOMETRY, kind === "global");
    const last = Math.floor((end - 1) / segmentRows);
    for (let segment = kind === "global" ? 0 : last; segment <= last; segment++) {
      for (const part of sequence.parts(kind, segment)) yield* this.#view(part, end);
    }
  }

  #view({ extent, firstRow, position, rowCount }: KvPart, end: number): Iterable<number> {
    const count = Math.min(rowCount, end - position);
    return count <= 0 ? [] : this.#options.storage.view(extent, firstRow, count);
  }
}

import type { CostSample, EntryShape, StepCost } from "@drover/batching";
import {
  type Clock,
  type DrawHistory,
  greedyParams,
  type KvSequence,
  type SequenceStore,
  type StepEntry,
  type StepRunner,
} from "@drover/core";
import { contextTokensMax, type KvGeometry } from "@drover/kv";
import { CALIBRATION_MS, CALIBRATION_TOKENS } from "./limits.ts";

export type CalibrationOptions = Readonly<{
  sequences: SequenceStore;
  runner: StepRunner;
  geometry: KvGeometry;
  cost: StepCost;
  clock: Clock;
  /** Prompt rows in one step. */
  prefillRowsMax: number;
}>;

/** A step to measure: rows of each of the first sequences, the fastest of `repeats` counts, and whether the rows are kept. */
type Probe = Readonly<{ rowCount: number; sequenceCount: number; repeats: number; keep: boolean }>;

const GROWTH_ROWS = 256;
/** Rows of the largest steps that are measured on a device that reads weights for longer than it multiplies a few rows by them: what further rows cost shows there. */
const WIDE_ROWS = 1024;
/** Ids that every vocabulary has; different ones, so that the rows meet different experts. */
const TOKEN_IDS = 251;

/**
 * Measures a handful of steps on throw-away sequences and fits the cost's coefficients to them: few rows and many, one sequence and several,
 * at the beginning and deep in a context. One probe a call, so that a request that comes meanwhile waits for no more than that.
 */
export class Calibration {
  readonly #options: CalibrationOptions;
  readonly #probes: Probe[];
  readonly #sequences: KvSequence[] = [];
  readonly #samples: CostSample[] = [];
  #spentMs = 0;

  constructor(options: CalibrationOptions) {
    this.#options = options;
    const { sequences, geometry, runner, prefillRowsMax } = options;
    const isReading = runner.expertsRead !== undefined;
    const growthRows = isReading ? Math.min(WIDE_ROWS, prefillRowsMax) : GROWTH_ROWS;
    // A quarter of the KV is more than enough, and leaves room for who comes meanwhile.
    const room = contextTokensMax(geometry, sequences.kvBytesMax / 4, growthRows);
    this.#probes = probes(Math.min(CALIBRATION_TOKENS, room), growthRows);
  }

  /** Runs the next probe. False when there is none, no time is left for it, or an expert does not answer: then `end` it. */
  async next(): Promise<boolean> {
    const probe = this.#probes.shift();
    if (probe === undefined) return false;
    const { sequences: store, cost } = this.#options;
    while (this.#sequences.length < probe.sequenceCount) this.#sequences.push(store.open());
    const sequences = this.#sequences.slice(0, probe.sequenceCount);
    const shapes = sequences.map(({ length }) => ({ position: length, rowCount: probe.rowCount }));
    if (this.#samples.length > 0) cost.fit(this.#samples);
    const expectedMs = this.#samples.length === 0 ? 0 : probe.repeats * cost.stepMs(shapes);
    if (this.#spentMs + expectedMs > CALIBRATION_MS) return false;
    const ms = await this.#measure(sequences, shapes, probe.repeats);
    if (ms === undefined) return false;
    this.#samples.push({ terms: cost.terms(shapes), ms });
    if (probe.keep)
      for (const [i, sequence] of sequences.entries())
        store.commit(sequence, throwAwayIds(sequence, probe.rowCount, i));
    return true;
  }

  /** Frees the sequences and fits what was measured. */
  end(): void {
    for (const sequence of this.#sequences.splice(0)) this.#options.sequences.close(sequence);
    this.#options.cost.fit(this.#samples);
    this.#probes.length = 0;
  }

  async #measure(
    sequences: readonly KvSequence[],
    shapes: readonly EntryShape[],
    repeats: number,
  ): Promise<number | undefined> {
    const { sequences: store, runner, clock } = this.#options;
    let fastest: number | undefined;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const entries: StepEntry[] = [];
      for (const [i, sequence] of sequences.entries()) {
        const rowCount = shapes[i]?.rowCount ?? 0;
        if (!store.reserve(sequence, rowCount)) return undefined;
        entries.push(throwAway(sequence, rowCount, i + repeat));
      }
      const began = clock.monotonic();
      const step = await runner.submit({ entries, traceCall: undefined }).result();
      const ms = clock.monotonic() - began;
      this.#spentMs += ms;
      if (ms === 0 || step.entries.some(({ kind }) => kind === "parked")) return undefined;
      fastest = Math.min(fastest ?? ms, ms);
      if (this.#spentMs > CALIBRATION_MS) break;
    }
    return fastest;
  }
}

function throwAway(sequence: KvSequence, rowCount: number, salt: number): StepEntry {
  return {
    sequence,
    tokenIds: throwAwayIds(sequence, rowCount, salt),
    embeddings: [],
    prompt: undefined,
    draw: { params: greedyParams(1), history: NO_HISTORY, choice: 0, index: 0, allowed: undefined },
    experts: false,
  };
}

const NO_HISTORY: DrawHistory = { output: () => [], seen: () => [], endsWith: () => false };

const throwAwayIds = ({ length }: KvSequence, rowCount: number, salt: number): Int32Array =>
  Int32Array.from({ length: rowCount }, (_, i) => ((length + i) * 97 + salt * 31) % TOKEN_IDS);

function probes(depth: number, growthRows: number): Probe[] {
  const one = (rowCount: number, repeats: number, keep = false) => ({ rowCount, sequenceCount: 1, repeats, keep });
  return [
    one(1, 4),
    one(16, 3),
    one(64, 2),
    { rowCount: 1, sequenceCount: 8, repeats: 4, keep: false },
    ...(growthRows > GROWTH_ROWS ? [one(GROWTH_ROWS, 2)] : []),
    ...Array.from({ length: Math.floor(depth / growthRows) }, () => one(growthRows, 1, true)),
    one(1, 3),
    one(16, 2),
  ];
}

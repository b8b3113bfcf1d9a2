import type { Clock, EntryResult, PendingStep, Step, StepEntry, StepRunner } from "@drover/core";

/** Milliseconds that a fake step of these entries takes. */
export type FakeCost = (entries: ReadonlyArray<Readonly<{ position: number; rowCount: number }>>) => number;

/** What a fake step makes of an entry. */
export type FakeAnswer = (entry: StepEntry) => EntryResult;

/** All rows count, and where a token is drawn it is 1. */
const plainAnswer: FakeAnswer = ({ tokenIds, draw }) => ({
  kind: "computed",
  rowCount: tokenIds.length,
  tokens: draw === undefined ? [] : [{ tokenId: 1, logprobs: undefined }],
  prompt: [],
  experts: new Uint16Array(0),
});

/** A runner that computes nothing: its steps take the time that it is told, on its own clock. */
export class FakeRunner implements StepRunner {
  readonly hiddenSize = 1;
  readonly usable = true;
  readonly expertsRead?: number;
  runsBeside = false;
  /** Called with each step that is handed over. */
  onSubmit: () => void = () => undefined;
  readonly clock: Clock;
  stepCount = 0;
  readonly #cost: FakeCost;
  readonly #answer: FakeAnswer;
  #nowMs = 0;

  constructor(cost: FakeCost = () => 1, answer: FakeAnswer = plainAnswer, expertsRead?: number) {
    if (expertsRead !== undefined) this.expertsRead = expertsRead;
    this.#cost = cost;
    this.#answer = answer;
    this.clock = { now: () => this.#nowMs, monotonic: () => this.#nowMs, sleep: () => Promise.resolve() };
  }

  submit({ entries }: Step): PendingStep {
    this.stepCount += 1;
    this.onSubmit();
    const totalMs = this.#cost(
      entries.map(({ sequence, tokenIds }) => ({ position: sequence.length, rowCount: tokenIds.length })),
    );
    this.#nowMs += totalMs;
    const times = { computeMs: totalMs, exchangeMs: 0, totalMs };
    return { result: () => Promise.resolve({ entries: entries.map(this.#answer), times }) };
  }
}

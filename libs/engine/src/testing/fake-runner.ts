import {
  at,
  type Clock,
  type EntryResult,
  type PendingStep,
  type Step,
  type StepEntry,
  type StepRunner,
} from "@drover/core";

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
  /** Steps that were handed over behind another. */
  followedCount = 0;
  follow?: NonNullable<StepRunner["follow"]>;
  /** What the last step was answered, where others follow. */
  #answered: readonly EntryResult[] = [];
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
    if (this.follow === undefined)
      return { result: () => Promise.resolve({ entries: entries.map(this.#answer), times }) };
    const answered = entries.map(this.#answer);
    this.#answered = answered;
    return { result: () => Promise.resolve({ entries: answered, times }) };
  }

  /** From now on it takes a step while the last one is computed, whose tokens it knows as a card does. */
  letFollow(): void {
    this.follow = ({ entries, traceCall }, of) => {
      this.followedCount += 1;
      const last = this.#answered;
      const known = entries.map((entry, i) => ({ ...entry, tokenIds: Int32Array.of(tokenOf(at(last, at(of, i)))) }));
      return this.submit({ entries: known, traceCall });
    };
  }
}

/** What an entry has drawn; of one that was parked the card has something, which says nothing. */
function tokenOf(result: EntryResult): number {
  return result.kind === "computed" ? at(result.tokens, 0).tokenId : 0;
}

import type { EntryResult, PendingStep, Step, StepResult, StepRunner } from "@drover/core";
import { entryAnswers, type HeadRow, rowDraw } from "@drover/sampling";
import { TOP_COUNT_MAX } from "../limits.ts";
import type { Answer, CudaText, GivenRows } from "../model/cuda-text.ts";
import type { PlacedDraw } from "../model/step-draws.ts";
import type { Question } from "../model/step-heads.ts";
import type { RowRun } from "../model/step-rows.ts";
import { type StepBatch, stepBatches } from "./step-batches.ts";

/** Llama 4's text model on one card. A step is handed over to the card and computed while this thread does other things. */
export class CudaRunner implements StepRunner, Disposable {
  readonly runsBeside = true;
  readonly #text: CudaText;
  /** The last step that was handed over. */
  #last: Promise<unknown> | undefined;
  /** When the last step was over. */
  #endedMs = 0;

  constructor(text: CudaText) {
    this.#text = text;
  }

  get hiddenSize(): number {
    return this.#text.config.hiddenSize;
  }

  get usable(): boolean {
    return this.#text.usable;
  }

  /** A model without experts reads all of its weights for one row. */
  get expertsRead(): number {
    return Math.max(1, this.#text.config.expertCount);
  }

  submit(step: Step): PendingStep {
    return this.#pending(this.#last === undefined ? this.#compute(step) : this.#last.then(() => this.#compute(step)));
  }

  follow({ entries, traceCall }: Step, of: readonly number[]): PendingStep | undefined {
    const [batch, more] = stepBatches(entries, this.#text, 1);
    if (traceCall !== undefined || batch === undefined || more !== undefined) return undefined;
    const answer = this.#text.follow(runsOf(batch), this.#questionOf(batch), of);
    return answer && this.#pending(this.#followed(batch, answer));
  }

  #pending(result: Promise<StepResult>): PendingStep {
    this.#last = result;
    // Where the step before it fails nobody waits for this one.
    void Promise.allSettled([result]);
    const settle = async (): Promise<StepResult> => {
      try {
        return await result;
      } finally {
        if (this.#last === result) this.#last = undefined;
      }
    };
    return { result: settle };
  }

  async #compute({ entries, traceCall }: Step): Promise<StepResult> {
    const began = performance.now();
    let exchangeMs = 0;
    const results: EntryResult[] = [];
    for (const batch of stepBatches(entries, this.#text)) {
      const given = batch.parts.flatMap(givenRows);
      const answer = await this.#text.step(runsOf(batch), given, this.#questionOf(batch), traceCall);
      exchangeMs += answer.exchangeMs;
      results.push(...resultsOf(batch, answer, this.#text.config.moeLayers.length));
    }
    this.#endedMs = performance.now();
    const totalMs = this.#endedMs - began;
    return { entries: results, times: { computeMs: totalMs - exchangeMs, exchangeMs, totalMs } };
  }

  /** A step that was enqueued behind another takes its time from that one's end on. */
  async #followed(batch: StepBatch, answer: Promise<Answer>): Promise<StepResult> {
    const entries = resultsOf(batch, await answer, this.#text.config.moeLayers.length);
    const began = this.#endedMs;
    this.#endedMs = performance.now();
    const totalMs = this.#endedMs - began;
    return { entries, times: { computeMs: totalMs, exchangeMs: 0, totalMs } };
  }

  #questionOf({ parts }: StepBatch): Question {
    const wanted = parts.flatMap((part) => part.wanted);
    return questionOf(wanted, this.#text.config.vocabSize);
  }

  /** Gives everything back to the card. */
  [Symbol.dispose](): void {
    this.#text.close();
  }
}

function questionOf(wanted: readonly HeadRow[], vocabSize: number): Question {
  const topCount = wanted.reduce((most, row) => Math.max(most, row.topCount), 1);
  const whole: number[] = [];
  const draws: PlacedDraw[] = [];
  for (const [place, { draw, needsLogits }] of wanted.entries()) {
    if (!needsLogits || draw === undefined) continue;
    const known = rowDraw(draw, vocabSize);
    if (known === undefined) whole.push(place);
    else draws.push({ place, draw: known });
  }
  return {
    wanted: Int32Array.from(wanted, ({ row }) => row),
    asked: Int32Array.from(wanted, ({ asked }) => asked),
    topCount: Math.min(topCount, vocabSize, TOP_COUNT_MAX),
    whole,
    draws,
  };
}

function runsOf({ parts }: StepBatch): readonly RowRun[] {
  return parts.map(({ run }) => run);
}

/** Rows of an entry whose embeddings are given, by their place in the batch. */
function givenRows({ entry, offset }: StepBatch["parts"][number]): readonly GivenRows[] {
  return entry.embeddings.map(({ row, rows_aD }) => ({ row: offset + row, rows_aD }));
}

/** What each entry of a batch gets. */
function resultsOf({ parts }: StepBatch, { rows, experts, lost }: Answer, moeCount: number): readonly EntryResult[] {
  let next = 0;
  return parts.map(({ entry, offset, wanted }, run) => {
    if (lost.has(run)) {
      next += wanted.length;
      return { kind: "parked" };
    }
    const rowCount = entry.tokenIds.length;
    const own = rows.slice(next, next + wanted.length);
    next += wanted.length;
    // It is drawn again by a step that nothing follows.
    if (own.some(({ isUnsure = false }) => isUnsure)) return { kind: "parked" };
    const answers = entryAnswers(wanted, own);
    const [from, to] = entry.experts ? [offset, offset + rowCount] : [0, 0];
    return { kind: "computed", rowCount, ...answers, experts: experts.slice(from * moeCount, to * moeCount) };
  });
}

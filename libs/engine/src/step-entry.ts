import type { Candidate } from "@drover/batching";
import { assert, type StepEntry } from "@drover/core";
import { needsFullLogits } from "@drover/sampling";
import type { Choice } from "./choice.ts";

/** A choice whose rows are allocated for this step. */
export type ReservedRows = Readonly<{ choice: Choice; rowCount: number }>;

/** All rows of a step, and those of sequences that only decode. */
export function rowCounts(batch: readonly ReservedRows[]): Readonly<{ rowCount: number; decodeCount: number }> {
  return {
    rowCount: batch.reduce((sum, { rowCount }) => sum + rowCount, 0),
    decodeCount: batch.filter(({ rowCount }) => rowCount === 1).length,
  };
}

/** A choice as the step's plan sees it. */
export function candidateOf(choice: Choice): Candidate {
  const { id, request, lastStep, computedCount, pendingTokenCount } = choice;
  return {
    id,
    request: request.order,
    position: computedCount,
    pendingTokenCount,
    lastStep,
    requestLastStep: request.lastPromptStep,
  };
}

/** Candidates a row that some choice of the step asks for. */
export function topCountOf(batch: readonly ReservedRows[]): number {
  let topCount = 1;
  for (const { choice } of batch) {
    const { topLogprobs, promptTopLogprobs } = choice.request.task.params;
    topCount = Math.max(topCount, topLogprobs, promptTopLogprobs);
  }
  return topCount;
}

/** What a choice brings to the step: its next rows, and which outputs of them are wanted. */
export function stepEntry(choice: Choice, rowCount: number): StepEntry {
  const { active: sequence, repair } = choice;
  const { features } = choice.request;
  assert(sequence !== undefined && features !== undefined, "a planned choice has a sequence and its images' features");
  const first = sequence.length;
  const last = repair === undefined && first + rowCount === choice.tokens.length;
  const { params } = choice.request.task;
  const wantsPrompt =
    repair === undefined && choice.reportsPrompt && params.promptTopLogprobs >= 0 && first < choice.promptLength;
  return {
    sequence,
    tokenIds: Int32Array.from(choice.tokens.slice(first, first + rowCount)),
    embeddings: features.within(first, rowCount),
    outputs: wantsPrompt ? "all" : last ? "last" : "none",
    askedIds: wantsPrompt
      ? Int32Array.from({ length: rowCount }, (_, i) => choice.tokens[first + i + 1] ?? 0)
      : undefined,
    fullLogits: last && needsFullLogits(params, choice.nextIndex),
  };
}

import type { PlannedEntry } from "@drover/batching";
import { assert, type ModelRunner, type StepEntry } from "@drover/core";
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

/** Allocates the planned rows; where memory runs out, the youngest sequences give theirs back and are recomputed later. */
export function reserveRows(
  plan: readonly PlannedEntry[],
  choices: ReadonlyMap<number, Choice>,
  runner: ModelRunner,
  onPreempted: () => void,
): ReservedRows[] {
  const batch: ReservedRows[] = [];
  const taken = new Set<Choice>();
  for (const { id, rowCount } of plan) {
    const choice = choices.get(id);
    if (choice === undefined) continue;
    choice.sequence ??= runner.openSequence();
    let room = runner.reserve(choice.sequence, rowCount);
    while (!room) {
      const victim = youngestBehind(choice, choices.values(), taken);
      if (victim?.sequence === undefined) break;
      runner.close(victim.sequence);
      victim.sequence = undefined;
      onPreempted();
      room = runner.reserve(choice.sequence, rowCount);
    }
    if (!room) continue;
    taken.add(choice);
    batch.push({ choice, rowCount });
  }
  return batch;
}

/** Only younger ones are preempted: the oldest always goes on, so nobody is preempted for ever. */
function youngestBehind(needy: Choice, choices: Iterable<Choice>, taken: ReadonlySet<Choice>): Choice | undefined {
  let victim: Choice | undefined;
  for (const choice of choices) {
    if (choice.id > needy.id && choice.computedCount > 0 && !taken.has(choice)) victim = choice;
  }
  return victim;
}

/** What a choice brings to the step: its next rows, and which outputs of them are wanted. */
export function stepEntry(choice: Choice, rowCount: number): StepEntry {
  const { sequence } = choice;
  const { features } = choice.request;
  assert(sequence !== undefined && features !== undefined, "a planned choice has a sequence and its images' features");
  const first = sequence.length;
  const last = first + rowCount === choice.tokens.length;
  const { params } = choice.request.task;
  const wantsPrompt = choice.reportsPrompt && params.promptTopLogprobs >= 0 && first < choice.promptLength;
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

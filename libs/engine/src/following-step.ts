import { assert, type SequenceStore, type StepEntry } from "@drover/core";
import type { Choice } from "./choice.ts";
import type { PlannedStep, StepRows } from "./planned-step.ts";

/** Rows of a step that follows another: of which of its rows each is, and the step's own. */
export type FollowingRows = Readonly<{ of: readonly number[]; rows: readonly StepRows[] }>;

/**
 * The rows of the step that can be handed over before a step is over: the next row of each of its choices, whose token that step draws, but for those of which it is known that they end with it.
 * Undefined where the next step has to be planned when the tokens are known: some choice is not in the step, or computes its prompt, or its next draw needs more than the token's place (a penalty
 * or a ban by what was drawn, a grammar's mask), or its rows are not all here, or it is traced; or where there is no memory for one more row.
 */
export function followingRows(
  { rows, isFollowing }: PlannedStep,
  choices: readonly Choice[],
  sequences: SequenceStore,
): FollowingRows | undefined {
  // Of a step that follows another itself those that have ended with that one's tokens say nothing.
  const standing = rows.flatMap((row, place) => (!isFollowing || isNextRow(row) ? [{ row, place }] : []));
  if (choices.length !== standing.length || !standing.every(({ row }) => drawsOne(row))) return undefined;
  const going = standing.flatMap(({ row: { of }, place }) => (endsNext(of) ? [] : [{ of, place }]));
  if (going.length === 0 || !going.every(({ of }) => followsItself(of, sequences))) return undefined;
  for (const { of } of going) if (!sequences.reserve(sequenceOf(of), 2)) return undefined;
  const next = going.map(({ of }) => ({ of, position: of.computedCount + 1, rowCount: 1, entry: followingEntry(of) }));
  return { of: going.map(({ place }) => place), rows: next };
}

/** Whether a choice still stands where the step before this one was to leave it: else what was computed of its next row counts for nothing. */
export function isNextRow({ of: choice, position, entry }: StepRows): boolean {
  return choice.active === entry.sequence && choice.computedCount === position && choice.tokens.length === position + 1;
}

function drawsOne({ of, entry }: StepRows): boolean {
  const { tokenIds, draw, prompt, embeddings, sequence } = entry;
  const isPlain = tokenIds.length === 1 && draw !== undefined && prompt === undefined && embeddings.length === 0;
  return isPlain && of.isDecoding && !of.isHeldUp && of.active === sequence;
}

/** Whether the token that is drawn next is the last one, whichever it is. */
function endsNext({ nextIndex, request }: Choice): boolean {
  return nextIndex + 1 >= request.task.params.maxTokens;
}

function followsItself(choice: Choice, sequences: SequenceStore): boolean {
  const { params } = choice.request.task;
  const isUnpenalized = params.repetitionPenalty === 1 && params.presencePenalty === 0 && params.frequencyPenalty === 0;
  const isByPlace = isUnpenalized && params.bannedSequences.length === 0 && !choice.isConstrained;
  return isByPlace && choice.request.trace === undefined && !sequences.isStriped(choice.tokenCountMax);
}

function followingEntry(choice: Choice): StepEntry {
  const { request, history, index, nextIndex } = choice;
  const { params } = request.task;
  return {
    sequence: sequenceOf(choice),
    tokenIds: new Int32Array(1),
    embeddings: [],
    prompt: undefined,
    draw: { params, history, choice: index, index: nextIndex + 1, allowed: undefined },
    experts: params.routedExperts,
  };
}

function sequenceOf({ active }: Choice) {
  assert(active !== undefined, "a choice in a step has its KV");
  return active;
}

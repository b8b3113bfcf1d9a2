import { assert, type PromptQuery, type StepEntry, type TokenDraw } from "@drover/core";
import type { Choice } from "./choice.ts";

/** What a choice brings to the step: its next rows, what is asked of its prompt, and how its token is drawn once all rows are computed. */
export function stepEntry(choice: Choice, rowCount: number): StepEntry {
  const { active: sequence, repair } = choice;
  const { features, task } = choice.request;
  assert(sequence !== undefined && features !== undefined, "a planned choice has a sequence and its images' features");
  const first = sequence.length;
  return {
    sequence,
    tokenIds: Int32Array.from(choice.tokens.slice(first, first + rowCount)),
    embeddings: features.within(first, rowCount),
    prompt: repair === undefined ? promptQuery(choice, first, rowCount) : undefined,
    draw: repair === undefined && first + rowCount === choice.tokens.length ? tokenDraw(choice) : undefined,
    experts: repair === undefined && task.params.routedExperts,
  };
}

/** What a client wants to know of the prompt tokens behind rows [first, first + rowCount); undefined where that is nothing. */
function promptQuery(choice: Choice, first: number, rowCount: number): PromptQuery | undefined {
  const topCount = choice.request.task.params.promptTopLogprobs;
  const end = Math.min(first + rowCount + 1, choice.promptLength);
  if (!choice.reportsPrompt || topCount < 0 || end <= first + 1) return undefined;
  return { nextIds: Int32Array.from(choice.tokens.slice(first + 1, end)), topCount };
}

function tokenDraw(choice: Choice): TokenDraw {
  const { request, history, index, nextIndex, allowed } = choice;
  assert(!choice.awaitsMask, "a step draws a token of a choice whose grammar has said which may come");
  return { params: request.task.params, history, choice: index, index: nextIndex, allowed };
}

import { assert, type DrawnToken, type EntryResult, type GenerationEvent, type SequenceStore } from "@drover/core";
import type { Choice } from "./choice.ts";
import type { EngineObserver } from "./engine-options.ts";
import { finishOf } from "./finish.ts";
import { promptEvent, tokenEvent } from "./token-events.ts";

export type AdvanceOptions = Readonly<{
  sequences: SequenceStore;
  observer: EngineObserver;
  send: (event: GenerationEvent) => void;
}>;

/**
 * Commits a choice's computed rows, as many as count, and sends what they tell: of the prompt, and its next tokens once all of it is computed.
 * True when the choice is finished. `tokenIds`: of the rows that the step has computed.
 */
export function advance(
  choice: Choice,
  tokenIds: Int32Array,
  result: Extract<EntryResult, { kind: "computed" }>,
  { sequences, observer, send }: AdvanceOptions,
): boolean {
  const { sequence, repair } = choice;
  assert(sequence !== undefined, "a choice that was computed has its KV");
  const { rowCount } = result;
  choice.parkedSinceMs = undefined;
  assert(repair !== "sending", "a sequence whose repair is on its way is in no step");
  if (repair !== undefined) {
    sequences.commit(repair, tokenIds.subarray(0, rowCount));
    choice.repair = sequences.repair(sequence);
    return false;
  }
  const first = sequence.length;
  sequences.commit(sequence, tokenIds.subarray(0, rowCount));
  const promptRows = Math.min(rowCount, choice.promptLength - first);
  reportPrompt(choice, first, promptRows, result, send);
  observer.tokensComputed(Math.max(0, promptRows), result.tokens.length);
  const moeCount = result.experts.length / rowCount;
  for (const [i, token] of result.tokens.entries()) {
    const row = rowCount - result.tokens.length + i;
    const rowExperts = result.experts.subarray(row * moeCount, (row + 1) * moeCount);
    if (generate(choice, token, rowExperts, send)) return true;
  }
  return false;
}

/** After a preemption the prompt is computed again; what was reported stays reported. */
function reportPrompt(
  choice: Choice,
  first: number,
  promptRows: number,
  result: Extract<EntryResult, { kind: "computed" }>,
  send: AdvanceOptions["send"],
): void {
  const skipped = Math.max(0, choice.reportedCount - first);
  if (choice.reportsPrompt && promptRows > skipped) {
    const moeCount = result.experts.length / result.rowCount;
    const before = skipped > 0 ? result.prompt[skipped - 1] : choice.lastRow;
    const experts = result.experts.subarray(skipped * moeCount, promptRows * moeCount);
    send(promptEvent(choice, first + skipped, promptRows - skipped, result.prompt.slice(skipped), before, experts));
    choice.reportedCount = first + promptRows;
  }
  choice.lastRow = result.prompt.at(-1) ?? choice.lastRow;
}

function generate(
  choice: Choice,
  token: DrawnToken,
  rowExperts: Uint16Array,
  send: (event: GenerationEvent) => void,
): boolean {
  if (choice.request.task.params.maxTokens === 0) return true;
  const finish = finishOf(choice, token.tokenId);
  send(tokenEvent(choice, token, finish, rowExperts));
  choice.tokens.push(token.tokenId);
  choice.history.append(token.tokenId);
  return finish !== undefined;
}

import type { EntryResult, GenerationEvent, ModelRunner, RowOutput } from "@drover/core";
import type { Choice } from "./choice.ts";
import type { EngineObserver } from "./engine-options.ts";
import { finishOf, nextToken } from "./next-token.ts";
import { promptEvent, tokenEvent } from "./token-events.ts";

export type AdvanceOptions = Readonly<{
  runner: ModelRunner;
  observer: EngineObserver;
  send: (event: GenerationEvent) => void;
}>;

/** Commits a choice's computed rows and sends what they tell: of the prompt, and its next token once all of it is computed. True when the choice is finished. */
export function advance(
  choice: Choice,
  rowCount: number,
  result: Extract<EntryResult, { kind: "computed" }>,
  { runner, observer, send }: AdvanceOptions,
): boolean {
  const { sequence, repair } = choice;
  if (sequence === undefined) return false;
  choice.parkedSinceMs = undefined;
  if (repair !== undefined) {
    runner.commit(repair, rowCount);
    choice.repair = runner.repair(sequence);
    return false;
  }
  const first = sequence.length;
  runner.commit(sequence, rowCount);
  const promptRows = Math.min(rowCount, choice.promptLength - first);
  // After a preemption the prompt is computed again; what was reported stays reported.
  const skipped = Math.max(0, choice.reportedCount - first);
  const moeCount = result.experts.length / rowCount;
  if (choice.reportsPrompt && promptRows > skipped) {
    const before = skipped > 0 ? result.rows[skipped - 1] : choice.lastRow;
    const experts = result.experts.subarray(skipped * moeCount, promptRows * moeCount);
    send(promptEvent(choice, first + skipped, promptRows - skipped, result.rows.slice(skipped), before, experts));
    choice.reportedCount = first + promptRows;
  }
  const row = result.rows.at(-1);
  if (row !== undefined) choice.lastRow = row;
  const decoding = sequence.length === choice.tokens.length;
  observer.tokensComputed(Math.max(0, promptRows), decoding ? 1 : 0);
  if (!decoding || row === undefined) return false;
  return generate(choice, row, result.experts.subarray((rowCount - 1) * moeCount), send);
}

function generate(
  choice: Choice,
  row: RowOutput,
  rowExperts: Uint16Array,
  send: (event: GenerationEvent) => void,
): boolean {
  if (choice.request.task.params.maxTokens === 0) return true;
  const tokenId = nextToken(choice, row);
  const finish = finishOf(choice, tokenId);
  send(tokenEvent(choice, tokenId, row, finish, rowExperts));
  choice.tokens.push(tokenId);
  choice.history.append(tokenId);
  return finish !== undefined;
}

import { assert, at, type DrawnToken, type EntryResult, type GenerationEvent, type SequenceStore } from "@drover/core";
import type { Choice } from "./choice.ts";
import type { EngineObserver } from "./engine-options.ts";
import { finishOf } from "./finish.ts";
import { promptEvent, tokenEvent } from "./token-events.ts";

type ComputedEntry = Extract<EntryResult, { kind: "computed" }>;

export type AdvanceOptions = Readonly<{
  sequences: SequenceStore;
  observer: EngineObserver;
  send: (event: GenerationEvent) => void;
}>;

/**
 * Commits a choice's computed rows, as many as count, and sends what they tell: of the prompt, and the tokens that were drawn behind them.
 * True when the choice is finished. `tokenIds`: of the rows that the step has computed.
 */
export function advance(
  choice: Choice,
  tokenIds: Int32Array,
  result: ComputedEntry,
  { sequences, observer, send }: AdvanceOptions,
): boolean {
  const { sequence, active, repair } = choice;
  assert(sequence !== undefined && active !== undefined, "a choice that was computed has its KV");
  const { rowCount, tokens } = result;
  const first = active.length;
  choice.computed();
  sequences.commit(active, tokenIds.subarray(0, rowCount));
  if (repair !== undefined) {
    // A repair that is whole has nothing pending: what comes next is asked for now, so that the load says what is left.
    choice.mend(sequences.repair(sequence));
    return false;
  }
  const promptRows = Math.max(0, Math.min(rowCount, choice.promptLength - first));
  reportPrompt(choice, first, promptRows, result, send);
  observer.tokensComputed(promptRows, tokens.length);
  // A client that wants no token is told of its prompt alone.
  if (choice.request.task.params.maxTokens === 0) return tokens.length > 0;
  return tokens.some((token, i) => {
    const row = Math.max(0, rowCount - tokens.length + i);
    return generate(choice, token, expertsOf(result, row, row + 1), send);
  });
}

/** After a preemption the prompt is computed again; what was reported stays reported. */
function reportPrompt(
  choice: Choice,
  first: number,
  promptRows: number,
  result: ComputedEntry,
  send: AdvanceOptions["send"],
): void {
  if (!choice.reportsPrompt) return;
  const skipped = Math.max(0, choice.reportedCount - first);
  if (promptRows > skipped) {
    const before = skipped > 0 ? result.prompt[skipped - 1] : choice.lastRow;
    const experts = expertsOf(result, skipped, promptRows);
    send(promptEvent(choice, first + skipped, promptRows - skipped, result.prompt.slice(skipped), before, experts));
  }
  const last = result.prompt.length > 0 ? at(result.prompt, result.prompt.length - 1) : choice.lastRow;
  choice.reported(first + promptRows, last);
}

/** Sends a token and adds it to its choice. True when it is the last one. */
function generate(
  choice: Choice,
  token: DrawnToken,
  rowExperts: Uint16Array,
  send: (event: GenerationEvent) => void,
): boolean {
  const finish = finishOf(choice, token.tokenId);
  send(tokenEvent(choice, token, finish, rowExperts));
  choice.append(token.tokenId, finish !== undefined);
  return finish !== undefined;
}

/** The experts of rows [from, to), [to - from, MoE layers]; empty where none were asked for. */
function expertsOf({ experts, rowCount }: ComputedEntry, from: number, to: number): Uint16Array {
  if (experts.length === 0) return experts;
  const moeCount = experts.length / rowCount;
  return experts.subarray(from * moeCount, to * moeCount);
}

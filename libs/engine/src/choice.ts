import type { KvSequence, RowLogprobs, SequenceStore } from "@drover/core";
import { TokenHistory } from "@drover/sampling";
import type { ActiveRequest } from "./active-request.ts";

/** One choice of a request: its tokens, how many of them the KV holds, and what was reported of the prompt. */
export class Choice {
  readonly id: number;
  readonly request: ActiveRequest;
  readonly index: number;
  /** Prompt and output. */
  readonly tokens: number[];
  readonly history: TokenHistory;
  /** Undefined before its first step and after a preemption. */
  sequence: KvSequence | undefined = undefined;
  /** What is computed before the sequence goes on: rows of it that another worker has lost; `sending` while they are on their way there. */
  repair: ReturnType<SequenceStore["repair"]> = undefined;
  /** The last step that served it, or the one in which it arrived. */
  lastStep: number;
  /** What the last computed prompt row said of the token behind it, where that is asked for. */
  lastRow: RowLogprobs | undefined = undefined;
  /** Times that its KV was given to another. */
  preemptionCount = 0;
  /** Since when it has found no KV to go on with. */
  stalledSinceMs: number | undefined = undefined;
  parkedSinceMs: number | undefined = undefined;
  /** Prompt positions already reported, for requests that ask about their prompt. */
  reportedCount = 0;

  constructor(id: number, request: ActiveRequest, index: number, step: number) {
    const { promptTokenIds, delivered } = request.task;
    const sent = delivered[index]?.tokenIds ?? [];
    this.id = id;
    this.request = request;
    this.index = index;
    this.lastStep = step;
    this.tokens = [...promptTokenIds, ...sent];
    this.history = new TokenHistory(promptTokenIds);
    for (const tokenId of sent) this.history.append(tokenId);
  }

  /** A step takes rows of it. */
  served(step: number, rowCount: number): void {
    this.lastStep = step;
    this.stalledSinceMs = undefined;
    if (rowCount > 1 || this.pendingTokenCount > 1) this.request.lastPromptStep = step;
  }

  get promptLength(): number {
    return this.request.task.promptTokenIds.length;
  }

  /** Index of the next token in the choice's output. */
  get nextIndex(): number {
    return this.tokens.length - this.promptLength;
  }

  /** The longest that it may get. */
  get tokenCountMax(): number {
    return this.promptLength + this.request.task.params.maxTokens;
  }

  /** The sequence whose rows the next step computes. */
  get active(): KvSequence | undefined {
    if (this.sequence === undefined || this.repair === "sending") return this.sequence;
    return this.repair ?? this.sequence;
  }

  get computedCount(): number {
    return this.active?.length ?? 0;
  }

  get pendingTokenCount(): number {
    return Math.min(this.tokens.length, this.active?.rowCountMax ?? this.tokens.length) - this.computedCount;
  }

  /** Whether this choice reports the prompt's log-probabilities or experts: the first one does, unless the client has tokens already. */
  get reportsPrompt(): boolean {
    const { params, delivered } = this.request.task;
    return (
      this.index === 0 &&
      (params.promptTopLogprobs >= 0 || params.routedExperts) &&
      delivered.every((d) => d.tokenIds.length === 0)
    );
  }
}

import { DroverError } from "@drover/core";
import type { GenerationQuery, InferenceRequest } from "@drover/openai";
import { ANSWER_STEP_BYTES, ANSWER_UNASKED_PART, UNREAD_SHARE_BYTES } from "../limits.ts";
import { held, type MemoryKind } from "./memory-budget.ts";
import type { MemoryBudgets } from "./memory-budgets.ts";
import { type AnswerCost, answerBytes, answerCost, promptBytes, promptFactBytes } from "./request-cost.ts";

/** What a reader has not taken yet, counted as it comes and goes. */
export interface UnreadRoom {
  /** False where there is no room: the reader is to be cut off. */
  take(byteCount: number): boolean;
  give(byteCount: number): void;
}

/** Where an answer's tokens are counted. */
export interface AnswerRoom {
  /** Counts a token; false where neither what is reserved nor the router has room for it: its choice ends there. */
  takesToken(): boolean;
  /** Counts what is known of a token once it is read: characters of its text, and experts. */
  addFacts(characterCount: number, expertCount: number): void;
}

/** What one request keeps of its router's memory, of every kind, until it is disposed of: however the request ends, nothing of it stays counted. */
export class RequestMemory implements Disposable, AnswerRoom, UnreadRoom {
  readonly #budgets: MemoryBudgets;
  readonly #counts = new Map<MemoryKind, number>();
  #answerUsed = 0;
  /** Of one that is kept. */
  #cost: AnswerCost = { tokenBytes: 0, characterBytes: 0 };
  #isOver = false;

  constructor(budgets: MemoryBudgets) {
    this.#budgets = budgets;
  }

  /** Bytes of a kind that it keeps. */
  of(kind: MemoryKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Counts what the request keeps to its end. Errors: `overloaded` where all requests together keep too much of the kind, `payload_too_large` where this one alone does. */
  hold(kind: MemoryKind, byteCount: number): void {
    if (this.#isOver) return;
    if (!this.#budgets[kind].take(byteCount)) throw this.#budgets[kind].refusal(this.of(kind) + byteCount);
    this.#count(kind, byteCount);
  }

  /**
   * Counts a tokenized request, and what of its answer is its own before it is queued (`answerBytes`). Errors: as `hold`, with the field that asks for so much;
   * nothing is counted for what this router never has room for.
   */
  keep(request: InferenceRequest, query: GenerationQuery): void {
    const { budget, prompt } = query;
    const factBytes = promptFactBytes(request);
    const isAsked = budget.asked !== undefined;
    const most = isAsked ? Number.POSITIVE_INFINITY : this.#budgets.answers.bytesMax * ANSWER_UNASKED_PART;
    const reservedBytes = Math.min(answerBytes(request, query), most);
    const prompts = promptBytes(request);
    // Before anything that passes: who can never be served is not to come back.
    this.#check(prompt.field, "prompts", prompts);
    this.#check(prompt.field, "answers", factBytes);
    this.#check(isAsked ? budget.field : prompt.field, "answers", factBytes + reservedBytes);
    this.hold("prompts", prompts);
    this.hold("answers", factBytes + reservedBytes);
    this.#answerUsed += factBytes;
    this.#cost = answerCost(request, query);
  }

  takesToken(): boolean {
    if (this.#isOver) return true;
    const missing = this.#answerUsed + this.#cost.tokenBytes - this.of("answers");
    if (missing > 0 && !this.#grow(missing)) return false;
    this.#answerUsed += this.#cost.tokenBytes;
    return true;
  }

  addFacts(characterCount: number, expertCount: number): void {
    this.#answerUsed += characterCount * this.#cost.characterBytes + expertCount * 8;
  }

  /** What it has of these kinds goes to another holder, until that is disposed of: once nothing of it comes any more. */
  detach(...kinds: readonly MemoryKind[]): Disposable {
    const parts = kinds.map((kind) => held(this.#budgets[kind], this.of(kind)));
    for (const kind of kinds) this.#counts.delete(kind);
    return {
      [Symbol.dispose]: () => {
        for (const part of parts) part[Symbol.dispose]();
      },
    };
  }

  /** Counts what its readers have not taken yet. False where there is no room: the reader is to be cut off. A share of the budget is each request's, however full it is, and one piece may be larger than the budget where nothing else is unread. */
  take(byteCount: number): boolean {
    if (this.#isOver) return true;
    const budget = this.#budgets.unread;
    if (this.of("unread") + byteCount <= UNREAD_SHARE_BYTES) budget.owe(byteCount);
    else if (!budget.takeMade(byteCount)) return false;
    this.#count("unread", byteCount);
    return true;
  }

  /** A reader has taken so much. */
  give(byteCount: number): void {
    if (this.#isOver) return;
    this.#budgets.unread.give(byteCount);
    this.#count("unread", -byteCount);
  }

  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const [kind, byteCount] of this.#counts) this.#budgets[kind].give(byteCount);
    this.#counts.clear();
  }

  #check(field: string, kind: MemoryKind, byteCount: number): void {
    const budget = this.#budgets[kind];
    const allBytes = this.of(kind) + byteCount;
    if (this.#isOver || allBytes <= budget.bytesMax) return;
    const { code, message } = budget.refusal(allBytes);
    throw new DroverError(code, message, { field });
  }

  /** In steps, so that not every token asks. */
  #grow(missing: number): boolean {
    const budget = this.#budgets.answers;
    for (const byteCount of [Math.max(missing, ANSWER_STEP_BYTES), missing]) {
      if (!budget.take(byteCount)) continue;
      this.#count("answers", byteCount);
      return true;
    }
    return false;
  }

  #count(kind: MemoryKind, byteCount: number): void {
    this.#counts.set(kind, this.of(kind) + byteCount);
  }
}

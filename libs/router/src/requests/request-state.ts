import {
  ATTEMPT_STRIDE,
  type ErrorCode,
  type FinishReason,
  type PromptEvent,
  type RequestEvent,
  type TokenEvent,
} from "@drover/core";

/** One life of one worker: `workerId#incarnation`. */
export type WorkerKey = string;

export type Owner = Readonly<{ worker: WorkerKey; attempt: number }>;

/** What an event means for the request. */
export type Decision =
  /** Heard already, or of no concern. */
  | Readonly<{ kind: "ignored" }>
  /** An attempt that must not go on: cancel it where it runs. */
  | Readonly<{ kind: "stale" }>
  /** The newest attempt runs; the one it replaces must be cancelled. */
  | Readonly<{ kind: "started"; replaced: Owner | undefined }>
  | Readonly<{ kind: "prompt"; prompt: PromptEvent; skip: number }>
  | Readonly<{ kind: "token"; token: TokenEvent }>
  /** A token is missing in the stream: only another attempt can mend it. */
  | Readonly<{ kind: "gap" }>
  | Readonly<{ kind: "failed"; code: ErrorCode; message: string; retryable: boolean }>
  /** Its worker ends in order: the request goes on elsewhere. */
  | Readonly<{ kind: "handed_back" }>
  | Readonly<{ kind: "done"; cachedTokenCount: number }>;

type DeliveredChoice = { tokenIds: number[]; finished: boolean; finish: FinishReason | undefined };

const IGNORED: Decision = { kind: "ignored" };
const STALE: Decision = { kind: "stale" };

/** What is known of one request's attempts and what its client already has. Pure: events in, decisions out. */
export class RequestState {
  readonly choices: readonly DeliveredChoice[];
  readonly #promptTokenCount: number;
  #attemptBase = 0;
  #owner: Owner | undefined;
  #promptPosition = 0;
  #cutShort = false;

  constructor(choiceCount: number, promptTokenCount: number) {
    this.#promptTokenCount = promptTokenCount;
    this.choices = Array.from({ length: choiceCount }, () => ({ tokenIds: [], finished: false, finish: undefined }));
  }

  /** The attempt that the next delivery from the queue has; older ones are refused. */
  get attemptBase(): number {
    return this.#attemptBase;
  }

  /** Newest attempt that a worker has begun. */
  get owner(): Owner | undefined {
    return this.#owner;
  }

  get finished(): boolean {
    return this.choices.every((choice) => choice.finished);
  }

  /** A choice was ended here, so its worker may still be busy with it. */
  get cutShort(): boolean {
    return this.#cutShort;
  }

  get tokenCount(): number {
    return this.choices.reduce((sum, choice) => sum + choice.tokenIds.length, 0);
  }

  get nextPromptPosition(): number {
    return this.#promptPosition;
  }

  /** The highest attempt that could be under way. */
  get attemptMax(): number {
    return this.#attemptBase + ATTEMPT_STRIDE - 1;
  }

  /** Everything before this is void: what is delivered stands still until the new attempt starts. Returns whose attempt it ends. */
  supersede(): Owner | undefined {
    const old = this.#owner;
    this.#attemptBase += ATTEMPT_STRIDE;
    this.#owner = undefined;
    return old;
  }

  /** The choice ends here, by a stop string: whatever a worker still sends of it is ignored. */
  finishChoice(index: number): void {
    const choice = this.choices[index];
    if (choice === undefined) return;
    choice.finished = true;
    choice.finish = "stop";
    this.#cutShort = true;
  }

  /** Takes what another router's attempts have delivered, before there is an attempt here. */
  restore(event: PromptEvent | TokenEvent): Decision {
    return event.kind === "prompt" ? this.#prompt(event) : this.#token(event);
  }

  /** Takes what is the newest attempt's next, and nothing else. */
  apply(worker: WorkerKey, { attempt, event }: RequestEvent): Decision {
    const owner = this.#owner;
    if (attempt < this.#attemptBase || (owner !== undefined && attempt < owner.attempt)) return STALE;
    if (event.kind === "started") return this.#start(worker, attempt, event.startIndices);
    const isOwner = owner !== undefined && owner.attempt === attempt && owner.worker === worker;
    if (event.kind === "failed") {
      // An attempt that never began does not end the one that runs.
      if (owner !== undefined && !isOwner) return IGNORED;
      const { code, message, retryable, handedBack } = event;
      if (handedBack) return { kind: "handed_back" };
      return { kind: "failed", code, message, retryable };
    }
    if (!isOwner) return IGNORED;
    if (event.kind === "prompt") return this.#prompt(event);
    return event.kind === "token" ? this.#token(event) : event;
  }

  #start(worker: WorkerKey, attempt: number, startIndices: readonly number[]): Decision {
    const owner = this.#owner;
    if (owner?.attempt === attempt) return owner.worker === worker ? IGNORED : STALE;
    const fits = this.choices.every(({ tokenIds, finished }, i) => finished || startIndices[i] === tokenIds.length);
    // Where its own worker began anew, the attempt that ran is no more.
    if (!fits || startIndices.length !== this.choices.length) return owner?.worker === worker ? { kind: "gap" } : STALE;
    this.#owner = { worker, attempt };
    return { kind: "started", replaced: owner };
  }

  #prompt(prompt: PromptEvent): Decision {
    const skip = this.#promptPosition - prompt.start;
    if (skip < 0) return { kind: "gap" };
    if (prompt.start + prompt.count > this.#promptTokenCount)
      return { kind: "failed", code: "internal", message: "a worker told of more than the prompt", retryable: false };
    if (skip >= prompt.count) return IGNORED;
    this.#promptPosition = prompt.start + prompt.count;
    return { kind: "prompt", prompt, skip };
  }

  #token(token: TokenEvent): Decision {
    const choice = this.choices[token.choice];
    if (choice === undefined || choice.finished || token.index < choice.tokenIds.length) return IGNORED;
    if (token.index > choice.tokenIds.length) return { kind: "gap" };
    choice.tokenIds.push(token.tokenId);
    choice.finish = token.finish;
    choice.finished = token.finish !== undefined;
    return { kind: "token", token };
  }
}

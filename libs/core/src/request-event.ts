import type { ErrorCode } from "./errors.ts";
import type { RequestId } from "./ids.ts";

/** Why a worker ends a choice: by an end token, or because it has as many tokens as were asked for. */
export type FinishReason = "stop" | "length";

/** A token and its log-probability at one place. */
export type RankedToken = Readonly<{ tokenId: number; logprob: number }>;

/** An attempt has begun. Choice c's first token of this attempt has index `startIndices[c]`. */
type StartedEvent = Readonly<{ kind: "started"; startIndices: readonly number[] }>;

/**
 * What was asked about prompt positions [start, start + count). Events of one attempt follow each other without a gap,
 * before its first token; an attempt that goes on after delivered tokens has none.
 */
export type PromptEvent = Readonly<{
  kind: "prompt";
  start: number;
  count: number;
  /** [count]: ln p(prompt[i] | before), 0 for position 0; empty unless asked for. */
  logprobs: readonly number[];
  /** [count]: the likeliest tokens of each position, best first; empty unless asked for. */
  tops: ReadonlyArray<readonly RankedToken[]>;
  /** [count, MoE layers]: the expert of each layer; empty unless asked for. */
  experts: Uint16Array;
}>;

/** One new token of one choice. */
export type TokenEvent = Readonly<{
  kind: "token";
  choice: number;
  /** Position in the choice's output; the router takes only the next one. */
  index: number;
  tokenId: number;
  /** 0 unless asked for. */
  logprob: number;
  /** The likeliest tokens at its place, best first; empty unless asked for. */
  top: readonly RankedToken[];
  /** [MoE layers]: the experts of the row that gave the token; empty unless asked for, and at index 0, whose row is the prompt's. */
  experts: Uint16Array;
  /** Undefined while the choice goes on. */
  finish: FinishReason | undefined;
}>;

/** The attempt ends here without an answer. */
type FailedEvent = Readonly<{
  kind: "failed";
  code: ErrorCode;
  message: string;
  /** Another attempt may succeed. */
  retryable: boolean;
  /** Nothing went wrong: the worker is ending, and the request goes on elsewhere. */
  handedBack: boolean;
}>;

/** Every choice has finished, and nothing follows. */
type DoneEvent = Readonly<{ kind: "done"; cachedTokenCount: number }>;

/** What a worker tells of one attempt. */
export type GenerationEvent = StartedEvent | PromptEvent | TokenEvent | FailedEvent | DoneEvent;

/** An event, and the attempt that it is of. */
export type RequestEvent = Readonly<{ requestId: RequestId; attempt: number; event: GenerationEvent }>;

/** What a router still waits for of an attempt: the worker answers with all events from there on. */
export type Resume = Readonly<{
  requestId: RequestId;
  attempt: number;
  /** The index of each choice's next token. */
  nextIndices: readonly number[];
  nextPromptPosition: number;
  /** The router knows that the attempt has begun. */
  started: boolean;
}>;

import { at, DroverError, type PromptEvent, type RequestId, type TokenEvent } from "@drover/core";
import { ChoiceText, type InferenceRequest, type Output } from "@drover/openai";
import type { Account } from "@drover/tenants";
import type { Tokenizer } from "@drover/tokenizer";
import { ANYBODY } from "../api-keys.ts";
import type { AnswerRoom, RequestMemory } from "../memory/request-memory.ts";
import { OutputBuffer, type OutputSink, type TakeOutputs } from "./output-buffer.ts";
import { RequestState } from "./request-state.ts";
import type { RequestTrace } from "./request-trace.ts";

/** What a generation has of a request that other routers may go on with. */
export type KeyedPart = Readonly<{
  /** By what its client knows it, whoever computes it. */
  replyId: RequestId;
  /** Nobody has computed it before: its client's name for it is its own too. */
  isFirst: boolean;
  sink: OutputSink;
}>;

export type GenerationOptions = Readonly<{
  tokenizer: Tokenizer;
  /** On the clock's scale. */
  deadlineMs: number;
  /** Its outputs go there, and `outputs` and `read` have none. */
  keyed?: KeyedPart | undefined;
  /** What counts what it keeps; nothing does unless given. */
  memory?: RequestMemory | undefined;
}>;

/** One client's request while it runs: what its attempts have delivered, turned into text and buffered for the reply. */
export class Generation {
  readonly requestId: RequestId;
  /** By what its client knows it. */
  readonly replyId: RequestId;
  readonly request: InferenceRequest;
  readonly deadlineMs: number;
  readonly state: RequestState;
  /** Keys that it has in the payload store. */
  readonly payloadKeys: string[] = [];
  /** The hash chain of its prompt's whole blocks, once it was computed. */
  blockHashes: Uint8Array | undefined = undefined;
  /** Aborts when the request has ended in any way. */
  readonly ended: AbortSignal;
  /** Aborts when it ended in an error, with that error; also for a reader that is stuck in writing. */
  readonly failed: AbortSignal;
  /** An add to the queue is being prepared. */
  adding = false;
  /** When the queue took its newest attempt, on the clock's monotonic scale. */
  addedAtMs = Number.POSITIVE_INFINITY;
  readdCount = 0;
  handBackCount = 0;
  /** What its client calls it. */
  name: string | undefined = undefined;
  /** Whose it is. */
  account: Account = ANYBODY;
  /** Its spans, where it is traced. */
  trace: RequestTrace | undefined = undefined;
  /** When a worker was lost that may have held this request without having said so. */
  suspectedAtMs: number | undefined = undefined;
  readonly #buffer: OutputBuffer;
  readonly #sink: OutputSink;
  readonly #room: AnswerRoom | undefined;
  readonly #texts: readonly ChoiceText[];
  readonly #end = new AbortController();
  readonly #failure = new AbortController();

  constructor(
    requestId: RequestId,
    request: InferenceRequest,
    { tokenizer, deadlineMs, keyed, memory }: GenerationOptions,
  ) {
    this.requestId = requestId;
    this.replyId = keyed?.replyId ?? requestId;
    this.#buffer = new OutputBuffer(memory);
    this.#sink = keyed?.sink ?? this.#buffer;
    this.#room = memory;
    this.request = request;
    this.deadlineMs = deadlineMs;
    this.ended = this.#end.signal;
    this.failed = this.#failure.signal;
    this.state = new RequestState(request.sampling.n, request.promptTokenIds.length);
    this.#texts = this.state.choices.map((_, choice) => new ChoiceText(tokenizer, request, this.replyId, choice));
  }

  /** A worker has begun its newest attempt, or ended it. */
  get begun(): boolean {
    return this.state.owner !== undefined || this.state.finished;
  }

  /** For one reader. Errors: the DroverError that ended the request. */
  outputs(): AsyncIterable<readonly Output[]> {
    return this.#buffer;
  }

  /** For one reader, as {@link OutputBuffer.read}. */
  read(take: TakeOutputs): Promise<void> {
    return this.#buffer.read(take);
  }

  /** Takes what another router's attempts have delivered, in order, before this one begins. */
  restore(event: PromptEvent | TokenEvent): void {
    const decision = this.state.restore(event);
    if (decision.kind === "prompt") this.takePrompt(decision.prompt, decision.skip);
    else if (decision.kind === "token") this.takeToken(decision.token);
  }

  takePrompt(prompt: PromptEvent, skip: number): boolean {
    const { promptTokenIds, sampling } = this.request;
    const experts = prompt.experts.length === 0 ? [] : rowsOf(prompt.experts, prompt.count).slice(skip);
    const logprobs =
      sampling.promptTopLogprobs < 0
        ? []
        : Array.from({ length: prompt.count - skip }, (_, i) => {
            const position = prompt.start + skip + i;
            const first = position === 0;
            return {
              tokenId: at(promptTokenIds, position),
              logprob: first ? undefined : prompt.logprobs[skip + i],
              top: first ? [] : (prompt.tops[skip + i] ?? []),
            };
          });
    return this.#sink.push({ kind: "prompt", prompt: 0, logprobs, experts }, prompt);
  }

  /** False when the reader is too far behind. A stop string ends the choice here, whatever the worker thinks, and so does a router that has no room for more of it. */
  takeToken(token: TokenEvent): boolean {
    const { sampling } = this.request;
    const text = this.#texts[token.choice];
    const isFull = this.#room?.takesToken() === false;
    const last = token.finish !== undefined || isFull;
    const silent = token.finish === "stop" && sampling.stopTokenIds.includes(token.tokenId);
    const piece = text?.push(token.tokenId, last, silent) ?? NO_PIECE;
    this.#room?.addFacts(piece.text.length, token.experts.length);
    if (piece.stopString !== undefined || isFull) this.state.finishChoice(token.choice);
    const stopped = piece.stopString !== undefined || token.finish === "stop";
    const output: Output = {
      kind: "token",
      choice: token.choice,
      tokenId: token.tokenId,
      text: piece.text,
      toolCalls: piece.toolCalls,
      logprob:
        sampling.topLogprobs < 0 ? undefined : { tokenId: token.tokenId, logprob: token.logprob, top: token.top },
      textOffset: piece.textOffset,
      shownCount: piece.shownCount,
      experts: token.experts.length === 0 ? undefined : [...token.experts],
      stopString: piece.stopString,
      finish: stopped ? (text?.called ? "tool_calls" : "stop") : last ? "length" : undefined,
    };
    return this.#sink.push(output, token);
  }

  complete(cachedTokenCount: number): void {
    this.#sink.push({ kind: "end", cachedTokenCount });
    this.#sink.end();
    this.#end.abort(ENDED);
  }

  fail(error: DroverError): void {
    this.#sink.end(error);
    this.#end.abort(error);
    this.#failure.abort(error);
  }
}

/** Why work stops for which nobody waits any more. Made once, as the next: a stack trace is dear, and every reply lets go of its request. */
export const CLIENT_LEFT = new DroverError("cancelled", "the client has left");
const ENDED = new DroverError("cancelled", "the request has ended");
const NO_PIECE = { text: "", toolCalls: [], stopString: undefined, textOffset: 0, shownCount: 0 } as const;

/** Experts [rowCount, layers] as one list a row. */
function rowsOf(experts: Uint16Array, rowCount: number): number[][] {
  const layerCount = experts.length / rowCount;
  return Array.from({ length: rowCount }, (_, row) => [...experts.subarray(row * layerCount, (row + 1) * layerCount)]);
}

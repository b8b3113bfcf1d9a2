import { DroverError, type RequestId } from "@drover/core";
import { ChoiceText, type InferenceRequest, type Output } from "@drover/openai";
import { type PromptInfo, type TokenEvent, FinishReason as WireFinish } from "@drover/proto";
import type { Tokenizer } from "@drover/tokenizer";
import { decodeExperts, decodeTop } from "../cluster/wire.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { RequestState } from "./request-state.ts";
import type { RequestTrace } from "./request-trace.ts";

/** One client's request while it runs: what its attempts have delivered, turned into text and buffered for the reply. */
export class Generation {
  readonly requestId: RequestId;
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
  readdCount = 0;
  handBackCount = 0;
  /** Its spans, where it is traced. */
  trace: RequestTrace | undefined = undefined;
  /** When a worker was lost that may have held this request without having said so. */
  suspectedAtMs: number | undefined = undefined;
  readonly #buffer = new OutputBuffer();
  readonly #texts: readonly ChoiceText[];
  readonly #end = new AbortController();
  readonly #failure = new AbortController();

  constructor(requestId: RequestId, request: InferenceRequest, tokenizer: Tokenizer, deadlineMs: number) {
    this.requestId = requestId;
    this.request = request;
    this.deadlineMs = deadlineMs;
    this.ended = this.#end.signal;
    this.failed = this.#failure.signal;
    this.state = new RequestState(request.sampling.n);
    this.#texts = this.state.choices.map((_, choice) => new ChoiceText(tokenizer, request, requestId, choice));
  }

  /** For one reader. Errors: the DroverError that ended the request. */
  outputs(): AsyncIterable<readonly Output[]> {
    return this.#buffer;
  }

  takePrompt(info: PromptInfo, skip: number): boolean {
    const { promptTokenIds, sampling } = this.request;
    const experts = info.experts.byteLength === 0 ? [] : decodeExperts(info.experts, info.count).slice(skip);
    const logprobs =
      sampling.promptTopLogprobs < 0
        ? []
        : Array.from({ length: info.count - skip }, (_, i) => {
            const position = info.start + skip + i;
            const first = position === 0;
            return {
              tokenId: promptTokenIds[position] ?? 0,
              logprob: first ? undefined : info.logprobs[skip + i],
              top: first ? [] : decodeTop(info.tops[skip + i]),
            };
          });
    return this.#buffer.push({ kind: "prompt", logprobs, experts });
  }

  /** False when the reader is too far behind. A stop string ends the choice here, whatever the worker thinks. */
  takeToken(token: TokenEvent): boolean {
    const { sampling } = this.request;
    const text = this.#texts[token.choice];
    const last = token.finish !== WireFinish.UNSPECIFIED;
    const silent = token.finish === WireFinish.STOP && sampling.stopTokenIds.includes(token.tokenId);
    const piece = text?.push(token.tokenId, last, silent) ?? { text: "", toolCalls: [], stopped: false };
    if (piece.stopped) this.state.finishChoice(token.choice);
    const stopped = piece.stopped || token.finish === WireFinish.STOP;
    return this.#buffer.push({
      kind: "token",
      choice: token.choice,
      tokenId: token.tokenId,
      text: piece.text,
      toolCalls: piece.toolCalls,
      logprob:
        sampling.topLogprobs < 0
          ? undefined
          : { tokenId: token.tokenId, logprob: token.logprob, top: decodeTop(token.top) },
      experts: token.experts.byteLength === 0 ? undefined : decodeExperts(token.experts, 1)[0],
      finish: stopped ? (text?.called ? "tool_calls" : "stop") : last ? "length" : undefined,
    });
  }

  complete(cachedTokenCount: number): void {
    this.#buffer.push({ kind: "end", cachedTokenCount });
    this.#buffer.end();
    this.#end.abort(new DroverError("cancelled", "the request has ended"));
  }

  fail(error: DroverError): void {
    this.#buffer.end(error);
    this.#end.abort(error);
    this.#failure.abort(error);
  }
}

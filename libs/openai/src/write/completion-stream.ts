import { at, type DroverError } from "@drover/core";
import type { Output, TokenLogprob, TokenOutput } from "../text/output.ts";
import { COMPLETION_OBJECT, type CompletionChunkChoice } from "./completion.ts";
import { completionLogprobs, promptTextOffsets } from "./logprobs.ts";
import { ReplyChunks } from "./reply-chunks.ts";
import { errorEvent, type ReplyFrame, type ReplyStream } from "./reply-frame.ts";

/** A streamed completion: with `echo` the prompt first, then text, then why it ended, then the usage where it was asked for. */
export class CompletionReplyStream implements ReplyStream {
  readonly #frame: ReplyFrame;
  readonly #chunks: ReplyChunks;
  readonly #textLengths: number[];
  readonly #promptLogprobs: TokenLogprob[] = [];
  readonly #promptExperts: number[][] = [];

  constructor(frame: ReplyFrame) {
    const { request } = frame;
    this.#frame = frame;
    this.#textLengths = Array.from({ length: request.sampling.n }, () => request.echoText?.length ?? 0);
    this.#chunks = new ReplyChunks(frame, COMPLETION_OBJECT, {
      begin: (choice) => this.#begin(choice),
      finish: (choice, reason) => this.#chunk({ index: choice, text: "", logprobs: null, finish_reason: reason }),
    });
  }

  push(output: Output): string {
    switch (output.kind) {
      case "prompt":
        for (const logprob of output.logprobs) this.#promptLogprobs.push(logprob);
        for (const experts of output.experts) this.#promptExperts.push(experts);
        return "";
      case "token":
        return this.#chunks.token(output.choice, this.#token(output), output.finish);
      case "end":
        return this.#chunks.end(output.cachedTokenCount);
    }
  }

  fail(error: DroverError): string {
    return errorEvent(error);
  }

  #token({ choice, tokenId, text, logprob, experts }: TokenOutput): string {
    const { model, options, request } = this.#frame;
    const offset = at(this.#textLengths, choice);
    this.#textLengths[choice] = offset + text.length;
    if (this.#chunks.isPlain) {
      if (text === "") return "";
      return this.#chunks.chunk(
        `{"index":${choice},"text":${JSON.stringify(text)},"logprobs":null,"finish_reason":null}`,
      );
    }
    return this.#chunk({
      index: choice,
      text,
      logprobs:
        logprob === undefined
          ? null
          : completionLogprobs([logprob], [offset], request.sampling.topLogprobs, model.tokenizer),
      finish_reason: null,
      ...(options.returnTokenIds && { token_ids: [tokenId] }),
      ...(experts !== undefined && { routed_experts: [experts] }),
    });
  }

  /** What comes before a choice's first token, where there is something: the echo, the prompt's ids and facts. */
  #begin(choice: number): string {
    const { model, options, request } = this.#frame;
    const { topLogprobs, routedExperts } = request.sampling;
    if (request.echoText === undefined && !options.returnTokenIds && !routedExperts) return "";
    const withLogprobs = request.echoText !== undefined && topLogprobs >= 0;
    return this.#chunk({
      index: choice,
      text: request.echoText ?? "",
      logprobs: withLogprobs
        ? completionLogprobs(
            this.#promptLogprobs,
            promptTextOffsets(request.promptTokenIds, model.tokenizer),
            topLogprobs,
            model.tokenizer,
          )
        : null,
      finish_reason: null,
      ...(options.returnTokenIds && { prompt_token_ids: Array.from(request.promptTokenIds) }),
      ...(routedExperts && { routed_experts: this.#promptExperts }),
    });
  }

  #chunk(choice: CompletionChunkChoice): string {
    return this.#chunks.chunk(JSON.stringify(choice));
  }
}

import { at, type DroverError } from "@drover/core";
import type { Output, TokenOutput } from "../text/output.ts";
import { codePointCount } from "../text/token-places.ts";
import type { PromptAnswer } from "./answer.ts";
import { COMPLETION_OBJECT, type CompletionChunkChoice } from "./completion.ts";
import { completionLogprobs, promptTextOffsets } from "./logprobs.ts";
import { promptLogprobs } from "./prompt-logprobs.ts";
import { ReplyChunks } from "./reply-chunks.ts";
import { errorEvent, eventJson, type ReplyFrame, type ReplyStream } from "./reply-frame.ts";

/** A streamed completion: with `echo` the prompt first, then text, then why it ended, then the usage where it was asked for. */
export class CompletionReplyStream implements ReplyStream {
  readonly #frame: ReplyFrame;
  readonly #chunks: ReplyChunks;
  /** Code points of each prompt's echo. */
  readonly #echoLengths: readonly number[];
  readonly #prompts: readonly PromptAnswer[];

  constructor(frame: ReplyFrame) {
    this.#frame = frame;
    this.#echoLengths = frame.requests.map(({ echoText = "" }) => codePointCount(echoText));
    this.#prompts = frame.requests.map(() => ({ logprobs: [], experts: [] }));
    this.#chunks = new ReplyChunks(frame, COMPLETION_OBJECT, {
      begin: (choice) => this.#begin(choice),
      finish: (choice, reason) => this.#chunk({ index: choice, text: "", logprobs: null, finish_reason: reason }),
    });
  }

  push(output: Output): string {
    switch (output.kind) {
      case "prompt": {
        const { logprobs, experts } = at(this.#prompts, output.prompt);
        for (const logprob of output.logprobs) logprobs.push(logprob);
        for (const rows of output.experts) experts.push(rows);
        return "";
      }
      case "token":
        this.#chunks.count(output.choice);
        return this.#chunks.token(output.choice, this.#token(output), output.finish);
      case "end":
        return this.#chunks.end(output.cachedTokenCount);
    }
  }

  opening(output: Output): Iterable<string> | undefined {
    return this.#chunks.opening(output);
  }

  fail(error: DroverError): string {
    return errorEvent(error);
  }

  #token({ choice, tokenId, text, logprob, textOffset, experts }: TokenOutput): string {
    const { model, options, request } = this.#frame;
    if (this.#chunks.isPlain) {
      if (text === "") return "";
      return this.#chunks.chunk(
        choice,
        `{"index":${choice},"text":${eventJson(text)},"logprobs":null,"finish_reason":null}`,
      );
    }
    return this.#chunk({
      index: choice,
      text,
      logprobs:
        logprob === undefined
          ? null
          : completionLogprobs(
              [logprob],
              [at(this.#echoLengths, this.#promptOf(choice)) + textOffset],
              request.sampling.topLogprobs,
              model.tokenizer,
            ),
      finish_reason: null,
      ...(options.returnTokenIds && { token_ids: [tokenId] }),
      ...(experts !== undefined && { routed_experts: [experts] }),
    });
  }

  /** What comes before a choice's first token, where there is something: the echo, the prompt's ids and facts. */
  #begin(choice: number): readonly CompletionChunkChoice[] {
    const { model, options, requests } = this.#frame;
    const prompt = this.#promptOf(choice);
    const request = at(requests, prompt);
    const { logprobs, experts } = at(this.#prompts, prompt);
    const { topLogprobs, routedExperts } = request.sampling;
    const told = promptLogprobs(this.#frame, logprobs);
    if (
      request.echoText === undefined &&
      !options.returnTokenIds &&
      !routedExperts &&
      told.prompt_logprobs === undefined
    )
      return [];
    const withLogprobs = request.echoText !== undefined && topLogprobs >= 0;
    const begun: CompletionChunkChoice = {
      index: choice,
      text: request.echoText ?? "",
      logprobs: withLogprobs
        ? completionLogprobs(
            logprobs,
            promptTextOffsets(request.promptTokenIds, model.tokenizer),
            topLogprobs,
            model.tokenizer,
          )
        : null,
      finish_reason: null,
      ...(options.returnTokenIds && { prompt_token_ids: Array.from(request.promptTokenIds) }),
      ...told,
      ...(routedExperts && { routed_experts: experts }),
    };
    return [begun];
  }

  #promptOf(choice: number): number {
    return Math.floor(choice / this.#frame.request.sampling.n);
  }

  #chunk(choice: CompletionChunkChoice): string {
    return this.#chunks.chunk(choice.index, eventJson(choice));
  }
}

import type { Answer } from "./answer.ts";
import { completionLogprobs, promptTextOffsets } from "./logprob-json.ts";
import type { Output, PromptOutput, TokenLogprob, TokenOutput } from "./output.ts";
import { closingEvents, type ReplyFrame, type ReplyStream, usage } from "./reply-frame.ts";

/** The body of a completion that is not streamed. */
export function completionReply({ id, created, model, request, options }: ReplyFrame, answer: Answer) {
  const { topLogprobs, routedExperts } = request.sampling;
  const echo = request.echoText ?? "";
  const wantsPrompt = request.echoText !== undefined && topLogprobs >= 0;
  const promptOffsets = wantsPrompt ? promptTextOffsets(request.promptTokenIds, model.tokenizer) : [];
  return {
    id,
    object: "text_completion",
    created,
    model: model.modelId,
    choices: answer.choices.map((choice, index) => ({
      index,
      text: echo + choice.text,
      logprobs:
        topLogprobs < 0
          ? null
          : completionLogprobs(
              [...answer.promptLogprobs, ...choice.logprobs],
              [...promptOffsets, ...choice.textOffsets.map((offset) => offset + echo.length)],
              topLogprobs,
              model.tokenizer,
            ),
      finish_reason: choice.finish,
      ...(options.returnTokenIds
        ? { token_ids: choice.tokenIds, prompt_token_ids: Array.from(request.promptTokenIds) }
        : {}),
      ...(routedExperts ? { routed_experts: [...answer.promptExperts, ...choice.experts] } : {}),
    })),
    usage: usage(request.promptTokenIds.length, answer.completionTokenCount, answer.cachedTokenCount),
    ...(options.returnTokenIds ? { prompt_token_ids: Array.from(request.promptTokenIds) } : {}),
  };
}

/** A streamed completion: with `echo` the prompt first, then text, then why it ended, then the usage where it was asked for. */
export class CompletionReplyStream implements ReplyStream {
  readonly #frame: ReplyFrame;
  readonly #head: string;
  readonly #tail: string;
  readonly #plain: boolean;
  readonly #begun: boolean[];
  readonly #finished: boolean[];
  readonly #textLengths: number[];
  readonly #promptLogprobs: TokenLogprob[] = [];
  readonly #promptExperts: (readonly number[])[] = [];
  #tokenCount = 0;

  constructor(frame: ReplyFrame) {
    this.#frame = frame;
    const { id, created, model, request, options } = frame;
    const head = { id, object: "text_completion", created, model: model.modelId };
    this.#head = `data: ${JSON.stringify(head).slice(0, -1)},"choices":[`;
    this.#tail = options.includeUsage ? `],"usage":null}\n\n` : "]}\n\n";
    this.#plain = request.sampling.topLogprobs < 0 && !options.returnTokenIds && !request.sampling.routedExperts;
    const perChoice = <T>(value: T) => Array.from({ length: request.sampling.n }, () => value);
    this.#begun = perChoice(false);
    this.#finished = perChoice(false);
    this.#textLengths = perChoice(request.echoText?.length ?? 0);
  }

  push(output: Output): string {
    switch (output.kind) {
      case "prompt":
        return this.#prompt(output);
      case "token":
        return this.#token(output);
      case "end":
        return this.#end(output.cachedTokenCount);
    }
  }

  #prompt(output: PromptOutput): string {
    this.#promptLogprobs.push(...output.logprobs);
    this.#promptExperts.push(...output.experts);
    return "";
  }

  #token(output: TokenOutput): string {
    this.#tokenCount++;
    const { choice, text, finish, logprob } = output;
    const { model, options, request } = this.#frame;
    const offset = this.#textLengths[choice] ?? 0;
    this.#textLengths[choice] = offset + text.length;
    let out = this.#begin(choice);
    if (this.#plain) {
      if (text !== "")
        out += `${this.#head}{"index":${choice},"text":${JSON.stringify(text)},"logprobs":null,"finish_reason":null}${this.#tail}`;
    } else {
      out += this.#chunk({
        index: choice,
        text,
        logprobs:
          logprob === undefined
            ? null
            : completionLogprobs([logprob], [offset], request.sampling.topLogprobs, model.tokenizer),
        finish_reason: null,
        ...(options.returnTokenIds ? { token_ids: [output.tokenId] } : {}),
        ...(output.experts === undefined ? {} : { routed_experts: [output.experts] }),
      });
    }
    return finish === undefined ? out : out + this.#finish(choice, finish);
  }

  /** What comes before a choice's first token, where there is something: the echo, the prompt's ids and facts. */
  #begin(choice: number): string {
    if (this.#begun[choice] !== false) return "";
    this.#begun[choice] = true;
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
      ...(options.returnTokenIds ? { prompt_token_ids: Array.from(request.promptTokenIds) } : {}),
      ...(routedExperts ? { routed_experts: this.#promptExperts } : {}),
    });
  }

  #finish(choice: number, reason: string): string {
    this.#finished[choice] = true;
    return this.#chunk({ index: choice, text: "", logprobs: null, finish_reason: reason });
  }

  #end(cachedTokenCount: number): string {
    let out = "";
    for (let choice = 0; choice < this.#finished.length; choice++) {
      out += this.#begin(choice);
      if (this.#finished[choice] === false) out += this.#finish(choice, "length");
    }
    return out + closingEvents(this.#frame, "text_completion", this.#tokenCount, cachedTokenCount);
  }

  #chunk(choice: unknown): string {
    return this.#head + JSON.stringify(choice) + this.#tail;
  }
}

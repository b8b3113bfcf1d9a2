import type { Answer, ChoiceAnswer } from "./answer.ts";
import { chatLogprobs } from "./logprob-json.ts";
import type { FinishReason, Output, TokenOutput, ToolCall } from "./output.ts";
import { closingEvents, type ReplyFrame, type ReplyStream, usage } from "./reply-frame.ts";

/** The body of a chat completion that is not streamed. */
export function chatReply({ id, created, model, request, options }: ReplyFrame, answer: Answer) {
  return {
    id,
    object: "chat.completion",
    created,
    model: model.modelId,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: message(choice),
      logprobs: request.sampling.topLogprobs < 0 ? null : chatLogprobs(choice.logprobs, model.tokenizer),
      finish_reason: choice.finish,
      ...(options.returnTokenIds ? { token_ids: choice.tokenIds } : {}),
      ...(request.sampling.routedExperts ? { routed_experts: [...answer.promptExperts, ...choice.experts] } : {}),
    })),
    usage: usage(request.promptTokenIds.length, answer.completionTokenCount, answer.cachedTokenCount),
    ...(options.returnTokenIds ? { prompt_token_ids: Array.from(request.promptTokenIds) } : {}),
  };
}

function message({ text, toolCalls }: ChoiceAnswer) {
  if (toolCalls.length === 0) return { role: "assistant", content: text, refusal: null };
  const calls = toolCalls.map(({ id, name, arguments: written }) => ({
    id,
    type: "function",
    function: { name, arguments: written },
  }));
  return { role: "assistant", content: text === "" ? null : text, refusal: null, tool_calls: calls };
}

/** A streamed chat completion: the role, then text, then why it ended, then the usage where it was asked for. */
export class ChatReplyStream implements ReplyStream {
  readonly #frame: ReplyFrame;
  readonly #head: string;
  readonly #tail: string;
  readonly #plain: boolean;
  readonly #begun: boolean[];
  readonly #finished: boolean[];
  #first = true;
  #promptExperts: (readonly number[])[] = [];
  #tokenCount = 0;

  constructor(frame: ReplyFrame) {
    this.#frame = frame;
    const { id, created, model, request, options } = frame;
    const head = { id, object: "chat.completion.chunk", created, model: model.modelId };
    this.#head = `data: ${JSON.stringify(head).slice(0, -1)},"choices":[`;
    this.#tail = options.includeUsage ? `],"usage":null}\n\n` : "]}\n\n";
    this.#plain = request.sampling.topLogprobs < 0 && !options.returnTokenIds && !request.sampling.routedExperts;
    this.#begun = Array.from({ length: request.sampling.n }, () => false);
    this.#finished = Array.from({ length: request.sampling.n }, () => false);
  }

  push(output: Output): string {
    switch (output.kind) {
      case "prompt":
        this.#promptExperts.push(...output.experts);
        return "";
      case "token":
        return this.#token(output);
      case "end":
        return this.#end(output.cachedTokenCount);
    }
  }

  #token(output: TokenOutput): string {
    this.#tokenCount++;
    const { choice, text, toolCalls, finish } = output;
    let out = this.#begin(choice);
    if (this.#plain) {
      // The common chunk, by hand: this is most of what a router does.
      if (text !== "")
        out += `${this.#head}{"index":${choice},"delta":{"content":${JSON.stringify(text)}},"logprobs":null,"finish_reason":null}${this.#tail}`;
    } else {
      const { model, options } = this.#frame;
      out += this.#chunk({
        index: choice,
        delta: { content: text },
        logprobs: output.logprob === undefined ? null : chatLogprobs([output.logprob], model.tokenizer),
        finish_reason: null,
        ...(options.returnTokenIds ? { token_ids: [output.tokenId] } : {}),
        ...(output.experts === undefined ? {} : { routed_experts: [output.experts] }),
      });
    }
    for (const call of toolCalls) out += this.#call(choice, call);
    return finish === undefined ? out : out + this.#finish(choice, finish);
  }

  /** OpenAI's two steps: first what is called, then with what. */
  #call(choice: number, { id, index, name, arguments: written }: ToolCall): string {
    const delta = (call: object) =>
      this.#chunk({ index: choice, delta: { tool_calls: [{ index, ...call }] }, logprobs: null, finish_reason: null });
    return (
      delta({ id, type: "function", function: { name, arguments: "" } }) + delta({ function: { arguments: written } })
    );
  }

  #begin(choice: number): string {
    if (this.#begun[choice] !== false) return "";
    this.#begun[choice] = true;
    const { options, request } = this.#frame;
    const promptIds =
      options.returnTokenIds && this.#first ? { prompt_token_ids: Array.from(request.promptTokenIds) } : {};
    this.#first = false;
    return this.#chunk({
      index: choice,
      delta: { role: "assistant", content: "" },
      logprobs: null,
      finish_reason: null,
      ...promptIds,
      ...(request.sampling.routedExperts ? { routed_experts: this.#promptExperts } : {}),
    });
  }

  #finish(choice: number, reason: FinishReason): string {
    this.#finished[choice] = true;
    return this.#chunk({ index: choice, delta: {}, logprobs: null, finish_reason: reason });
  }

  #end(cachedTokenCount: number): string {
    let out = "";
    for (let choice = 0; choice < this.#finished.length; choice++) {
      out += this.#begin(choice);
      if (this.#finished[choice] === false) out += this.#finish(choice, "length");
    }
    return out + closingEvents(this.#frame, "chat.completion.chunk", this.#tokenCount, cachedTokenCount);
  }

  #chunk(choice: unknown): string {
    return this.#head + JSON.stringify(choice) + this.#tail;
  }
}

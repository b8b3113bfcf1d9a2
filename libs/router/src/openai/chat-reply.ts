import type { Answer, ChoiceAnswer } from "./answer.ts";
import { chatLogprobs } from "./logprob-json.ts";
import type { Output, TokenOutput, ToolCall } from "./output.ts";
import { ReplyChunks } from "./reply-chunks.ts";
import { type ReplyFrame, type ReplyStream, usage } from "./reply-frame.ts";

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
  readonly #chunks: ReplyChunks;
  #first = true;
  readonly #promptExperts: (readonly number[])[] = [];

  constructor(frame: ReplyFrame) {
    this.#frame = frame;
    this.#chunks = new ReplyChunks(frame, "chat.completion.chunk", {
      begin: (choice) => this.#begin(choice),
      finish: (choice, reason) => this.#chunk({ index: choice, delta: {}, logprobs: null, finish_reason: reason }),
    });
  }

  push(output: Output): string {
    switch (output.kind) {
      case "prompt":
        this.#promptExperts.push(...output.experts);
        return "";
      case "token":
        return this.#chunks.token(output.choice, this.#token(output), output.finish);
      case "end":
        return this.#chunks.end(output.cachedTokenCount);
    }
  }

  #token({ choice, tokenId, text, toolCalls, logprob, experts }: TokenOutput): string {
    let out = "";
    if (this.#chunks.isPlain) {
      // The common chunk, by hand: this is most of what a router does.
      if (text !== "")
        out = this.#chunks.chunk(
          `{"index":${choice},"delta":{"content":${JSON.stringify(text)}},"logprobs":null,"finish_reason":null}`,
        );
    } else {
      const { model, options } = this.#frame;
      out = this.#chunk({
        index: choice,
        delta: { content: text },
        logprobs: logprob === undefined ? null : chatLogprobs([logprob], model.tokenizer),
        finish_reason: null,
        ...(options.returnTokenIds ? { token_ids: [tokenId] } : {}),
        ...(experts === undefined ? {} : { routed_experts: [experts] }),
      });
    }
    for (const call of toolCalls) out += this.#call(choice, call);
    return out;
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

  #chunk(choice: object): string {
    return this.#chunks.chunk(JSON.stringify(choice));
  }
}

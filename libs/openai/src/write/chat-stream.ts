import { at, type DroverError } from "@drover/core";
import { type Static, Type } from "typebox";
import type { Output, TokenLogprob, TokenOutput, ToolCall } from "../text/output.ts";
import { chatFinish, chatFinishReason } from "./chat.ts";
import { ChatLogprobs, chatLogprobs } from "./logprobs.ts";
import type { Written } from "./long-list.ts";
import { obfuscationField } from "./obfuscation.ts";
import { promptLogprobs, promptLogprobsField } from "./prompt-logprobs.ts";
import { ReplyChunks } from "./reply-chunks.ts";
import { errorEvent, eventJson, frameFields, type ReplyFrame, type ReplyStream } from "./reply-frame.ts";
import { promptIdsField, routedExpertsField, tokenIdsField } from "./token-facts.ts";
import { chunkUsage } from "./usage.ts";

const OBJECT = "chat.completion.chunk";

/** What a chunk says of one choice. */
const ChunkChoice = Type.Object({
  index: Type.Integer(),
  delta: Type.Object(
    {
      role: Type.Optional(Type.Literal("assistant")),
      content: Type.Optional(Type.String({ description: "Complete characters only." })),
      tool_calls: Type.Optional(
        Type.Array(
          Type.Object({
            index: Type.Integer(),
            id: Type.Optional(Type.String()),
            type: Type.Optional(Type.Literal("function")),
            function: Type.Object({ name: Type.Optional(Type.String()), arguments: Type.String() }),
          }),
          { description: "Each call in two chunks: first its name, then its arguments, whole." },
        ),
      ),
      function_call: Type.Optional(
        Type.Object(
          { name: Type.Optional(Type.String()), arguments: Type.String() },
          { description: "The call of a request with `functions`, in two chunks too." },
        ),
      ),
    },
    { description: "First the role, then text and calls; empty beside the reason for the end." },
  ),
  logprobs: Type.Union([ChatLogprobs, Type.Null()]),
  finish_reason: Type.Union([chatFinishReason, Type.Null()]),
  ...tokenIdsField,
  ...promptIdsField,
  ...promptLogprobsField,
  ...routedExpertsField,
});
type ChunkChoice = Written<Static<typeof ChunkChoice>>;

/** The data of one event of a streamed chat completion. */
export const ChatCompletionChunk = Type.Object({
  ...frameFields,
  object: Type.Literal(OBJECT),
  choices: Type.Array(ChunkChoice, { description: "One; none in the last chunk, which has the usage." }),
  usage: chunkUsage,
  ...obfuscationField,
});

export type ChatCompletionChunk = Static<typeof ChatCompletionChunk>;

/** A streamed chat completion: the role, then text, then why it ended, then the usage where it was asked for. */
export class ChatReplyStream implements ReplyStream {
  readonly #frame: ReplyFrame;
  readonly #chunks: ReplyChunks;
  #first = true;
  /** Of each choice, those whose text was not given yet. */
  readonly #unshown: TokenLogprob[][];
  readonly #promptExperts: number[][] = [];
  readonly #promptLogprobs: TokenLogprob[] = [];

  constructor(frame: ReplyFrame) {
    this.#frame = frame;
    this.#unshown = Array.from({ length: frame.request.sampling.n }, () => []);
    this.#chunks = new ReplyChunks(frame, OBJECT, {
      begin: (choice) => [this.#begin(choice)],
      finish: (choice, reason) =>
        this.#chunk({ index: choice, delta: {}, logprobs: null, finish_reason: chatFinish(reason, frame.options) }),
    });
  }

  push(output: Output): string {
    switch (output.kind) {
      case "prompt":
        for (const experts of output.experts) this.#promptExperts.push(experts);
        for (const logprob of output.logprobs) this.#promptLogprobs.push(logprob);
        return "";
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

  #token(output: TokenOutput): string {
    const { choice, tokenId, text, toolCalls, experts } = output;
    let out = "";
    if (this.#chunks.isPlain) {
      // The common chunk, by hand: this is most of what a router does.
      if (text !== "")
        out = this.#chunks.chunk(
          choice,
          `{"index":${choice},"delta":{"content":${eventJson(text)}},"logprobs":null,"finish_reason":null}`,
        );
    } else {
      const { options } = this.#frame;
      out = this.#chunk({
        index: choice,
        delta: { content: text },
        logprobs: this.#logprobs(output),
        finish_reason: null,
        ...(options.returnTokenIds && { token_ids: [tokenId] }),
        ...(experts !== undefined && { routed_experts: [experts] }),
      });
    }
    for (const call of toolCalls) out += this.#call(choice, call);
    return out;
  }

  /** Those of the tokens whose text comes with this output or its begin; OpenAI tells none of what ends an answer. */
  #logprobs({ choice, logprob, shownCount }: TokenOutput): ChunkChoice["logprobs"] {
    if (logprob === undefined) return null;
    const unshown = at(this.#unshown, choice);
    unshown.push(logprob);
    return shownCount === 0 ? null : chatLogprobs(unshown.splice(0, shownCount), this.#frame.model.tokenizer);
  }

  /** OpenAI's two steps: first what is called, then with what. */
  #call(choice: number, { id, index, name, arguments: written }: ToolCall): string {
    const named = { index, id, type: "function" as const, function: { name, arguments: "" } };
    const filled = { index, function: { arguments: written } };
    const deltas =
      this.#frame.options.olderCalls === true
        ? [{ function_call: named.function }, { function_call: filled.function }]
        : [{ tool_calls: [named] }, { tool_calls: [filled] }];
    return deltas.map((delta) => this.#chunk({ index: choice, delta, logprobs: null, finish_reason: null })).join("");
  }

  #begin(choice: number): ChunkChoice {
    const { options, request } = this.#frame;
    const isFirst = this.#first;
    this.#first = false;
    return {
      index: choice,
      delta: { role: "assistant", content: "" },
      logprobs: null,
      finish_reason: null,
      ...(options.returnTokenIds && isFirst && { prompt_token_ids: Array.from(request.promptTokenIds) }),
      ...(isFirst && promptLogprobs(this.#frame, this.#promptLogprobs)),
      ...(request.sampling.routedExperts && { routed_experts: this.#promptExperts }),
    };
  }

  #chunk(choice: ChunkChoice): string {
    return this.#chunks.chunk(choice.index, eventJson(choice));
  }
}

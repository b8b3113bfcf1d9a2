import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { InferenceRequest, Output, TokenLogprob, ToolCall } from "@drover/openai";
import { publicApi } from "@drover/proto";
import { REPLY_SLICE_FACTS } from "../limits.ts";
import { slicesOf } from "../requests/token-text.ts";
import type { ServedModel } from "../served-model.ts";

/** Turns outputs into messages of the public gRPC interface: one for each token, and a last one with the usage. */
export class GrpcReplies {
  readonly #id: string;
  readonly #model: ServedModel;
  readonly #request: InferenceRequest;
  readonly #finished: boolean[];
  readonly #begun: boolean[];
  #first = true;
  #promptLogprobs: TokenLogprob[] = [];
  #promptExperts: (readonly number[])[] = [];
  #tokenCount = 0;

  constructor(id: string, model: ServedModel, request: InferenceRequest) {
    this.#id = id;
    this.#model = model;
    this.#request = request;
    this.#finished = Array.from({ length: request.sampling.n }, () => false);
    this.#begun = Array.from({ length: request.sampling.n }, () => false);
  }

  push(output: Output): (publicApi.GenerateReply | OpeningReply)[] {
    if (output.kind === "prompt") {
      this.#promptLogprobs.push(...output.logprobs);
      this.#promptExperts.push(...output.experts);
      return [];
    }
    if (output.kind === "token") {
      this.#tokenCount++;
      if (output.finish !== undefined) this.#finished[output.choice] = true;
      return [
        ...this.#begin(output.choice),
        this.#reply(output.choice, {
          text: output.text,
          toolCalls: output.toolCalls.map(wireToolCall),
          tokenIds: [output.tokenId],
          logprobs: output.logprob === undefined ? [] : [wireLogprob(output.logprob)],
          routedExperts: output.experts === undefined ? [] : [wireExperts(output.experts)],
          finishReason: output.finish ?? "",
        }),
      ];
    }
    const replies = this.#finished.flatMap((finished, choice) => [
      ...this.#begin(choice),
      ...(finished ? [] : [this.#reply(choice, { finishReason: "length" })]),
    ]);
    const usage = create(publicApi.UsageSchema, {
      promptTokens: this.#request.promptTokenIds.length,
      completionTokens: this.#tokenCount,
      cachedTokens: output.cachedTokenCount,
    });
    return [...replies, this.#reply(0, { usage })];
  }

  /** The prompt's ids in the call's first message, and each choice's echo and prompt facts. */
  #begin(choice: number): OpeningReply[] {
    if (this.#begun[choice] !== false) return [];
    this.#begun[choice] = true;
    const promptTokenIds = this.#first ? this.#request.promptTokenIds : new Uint32Array();
    this.#first = false;
    return [{ kind: "opening", parts: this.#openingParts(choice, promptTokenIds) }];
  }

  *#openingParts(choice: number, promptTokenIds: Uint32Array): Generator<GenerateReplyInit> {
    yield this.#reply(choice, { text: this.#request.echoText ?? "" });
    for (const slice of slicesOf(promptTokenIds)) yield { promptTokenIds: [...slice] };
    for (let at = 0; at < this.#promptLogprobs.length; at += REPLY_SLICE_FACTS)
      yield { logprobs: this.#promptLogprobs.slice(at, at + REPLY_SLICE_FACTS).map(wireLogprob) };
    for (let at = 0; at < this.#promptExperts.length; at += REPLY_SLICE_FACTS)
      yield { routedExperts: this.#promptExperts.slice(at, at + REPLY_SLICE_FACTS).map(wireExperts) };
  }

  #reply(choice: number, fields: Parts): publicApi.GenerateReply {
    return create(publicApi.GenerateReplySchema, { id: this.#id, model: this.#model.modelId, choice, ...fields });
  }
}

type GenerateReplyInit = MessageInitShape<typeof publicApi.GenerateReplySchema>;

/** A choice's first message, in parts: what is known of a prompt may be much. */
export type OpeningReply = Readonly<{ kind: "opening"; parts: Iterable<GenerateReplyInit> }>;

type Parts = Partial<
  Pick<
    publicApi.GenerateReply,
    "text" | "toolCalls" | "tokenIds" | "logprobs" | "routedExperts" | "finishReason" | "promptTokenIds" | "usage"
  >
>;

function wireLogprob({ tokenId, logprob, top }: TokenLogprob): publicApi.TokenLogprob {
  return create(publicApi.TokenLogprobSchema, {
    tokenId,
    ...(logprob === undefined ? {} : { logprob }),
    top: top.map((ranked) => create(publicApi.TokenLogprobSchema, ranked)),
  });
}

function wireToolCall({ id, name, arguments: written }: ToolCall): publicApi.ToolCall {
  return create(publicApi.ToolCallSchema, { id, function: { name, arguments: written } });
}

function wireExperts(experts: readonly number[]): publicApi.RoutedExperts {
  return create(publicApi.RoutedExpertsSchema, { experts: [...experts] });
}

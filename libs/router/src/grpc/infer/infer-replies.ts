import { create } from "@bufbuild/protobuf";
import { at } from "@drover/core";
import type { FinishReason, InferenceRequest, Output } from "@drover/openai";
import { inferApi } from "@drover/proto";
import { INFER_OUTPUTS, type InferAsk, type InferOutput } from "./infer-inputs.ts";
import { INFER_VERSION } from "./infer-requests.ts";
import { rawOfCounts, rawOfTexts } from "./infer-tensors.ts";

/** What came of each choice since the last answer, and of the whole request. */
type ChoiceNews = { text: string; tokenCount: number; finish: FinishReason | undefined };

/** Turns outputs into answers of an inference request: one for each token of a stream, else one in all. The elements of their tensors are the choices. */
export class InferReplies {
  readonly #ask: InferAsk;
  readonly #model: string;
  readonly #request: InferenceRequest;
  readonly #news: ChoiceNews[];
  #isFinal = false;

  constructor(ask: InferAsk, model: string, request: InferenceRequest) {
    this.#ask = ask;
    this.#model = model;
    this.#request = request;
    const text = request.echoText ?? "";
    this.#news = Array.from({ length: request.sampling.n }, () => ({ text, tokenCount: 0, finish: undefined }));
  }

  /** Undefined while nothing is to be sent. */
  push(output: Output): inferApi.ModelInferResponse | undefined {
    if (output.kind === "prompt") return undefined;
    if (output.kind === "end") {
      // What a worker ended without a word of it had all of its tokens.
      for (const news of this.#news) news.finish ??= "length";
      return this.#isFinal ? undefined : this.#answer();
    }
    const news = at(this.#news, output.choice);
    news.text += output.text;
    news.tokenCount += 1;
    news.finish = output.finish ?? news.finish;
    return this.#ask.stream ? this.#answer() : undefined;
  }

  #answer(): inferApi.ModelInferResponse {
    const { id, raw, stream, outputs } = this.#ask;
    this.#isFinal = this.#news.every(({ finish }) => finish !== undefined);
    const tensors = outputs.map((name) => this.#tensor(name));
    const isFinal = create(inferApi.InferParameterSchema, {
      parameterChoice: { case: "boolParam", value: this.#isFinal },
    });
    const answer = create(inferApi.ModelInferResponseSchema, {
      modelName: this.#model,
      modelVersion: INFER_VERSION,
      id,
      parameters: { triton_final_response: isFinal },
      outputs: tensors.map(({ raw: _, contents, ...tensor }) =>
        create(inferApi.ModelInferResponse_InferOutputTensorSchema, raw ? tensor : { ...tensor, contents }),
      ),
      rawOutputContents: raw ? tensors.map((tensor) => tensor.raw) : [],
    });
    if (stream) for (const news of this.#news) [news.text, news.tokenCount] = ["", 0];
    return answer;
  }

  #tensor(name: InferOutput): Tensor {
    if (name === "text_output")
      return texts(
        name,
        this.#news.map((news) => news.text),
      );
    if (name === "finish_reason")
      return texts(
        name,
        this.#news.map(({ finish }) => finish ?? "None"),
      );
    if (name === "num_input_tokens") return counts(name, [this.#request.promptTokenIds.length]);
    return counts(
      name,
      this.#news.map(({ tokenCount }) => tokenCount),
    );
  }
}

type Tensor = Readonly<{
  name: InferOutput;
  datatype: string;
  shape: bigint[];
  contents: inferApi.InferTensorContents;
  raw: Uint8Array;
}>;

const encoder = new TextEncoder();

function texts(name: InferOutput, values: readonly string[]): Tensor {
  const bytesContents = values.map((value) => encoder.encode(value));
  const contents = create(inferApi.InferTensorContentsSchema, { bytesContents });
  return { ...shaped(name, values.length), contents, raw: rawOfTexts(values) };
}

function counts(name: InferOutput, values: number[]): Tensor {
  const contents = create(inferApi.InferTensorContentsSchema, { uintContents: values });
  return { ...shaped(name, values.length), contents, raw: rawOfCounts(values) };
}

const shaped = (name: InferOutput, length: number) => ({
  name,
  datatype: INFER_OUTPUTS[name],
  shape: [BigInt(length)],
});

import type { inferApi } from "@drover/proto";

/** How an input of an inference request is read: the field of the HTTP interface that it is, and what its elements are. */
export type InferInput = Readonly<{
  datatype: "BYTES" | "BOOL" | "INT32" | "FP32" | "UINT64";
  /** Absent: an input of the protocol's own, or one whose only value is what happens anyway. */
  field?: string;
  /** Any number of elements, a list; else one. */
  isList?: boolean;
  /** The only value that is served. */
  only?: boolean | number;
}>;

/** By the names of Triton's backends of vLLM, and of TensorRT-LLM where these differ. */
export const INFER_INPUTS: Readonly<Record<string, InferInput>> = {
  text_input: { datatype: "BYTES", field: "prompt" },
  stream: { datatype: "BOOL" },
  exclude_input_in_output: { datatype: "BOOL" },
  sampling_parameters: { datatype: "BYTES" },
  return_finish_reason: { datatype: "BOOL" },
  return_num_input_tokens: { datatype: "BOOL" },
  return_num_output_tokens: { datatype: "BOOL" },
  max_tokens: { datatype: "INT32", field: "max_tokens" },
  min_tokens: { datatype: "INT32", field: "min_tokens" },
  min_length: { datatype: "INT32", field: "min_tokens" },
  temperature: { datatype: "FP32", field: "temperature" },
  top_k: { datatype: "INT32", field: "top_k" },
  top_p: { datatype: "FP32", field: "top_p" },
  min_p: { datatype: "FP32", field: "min_p" },
  seed: { datatype: "UINT64", field: "seed" },
  random_seed: { datatype: "UINT64", field: "seed" },
  repetition_penalty: { datatype: "FP32", field: "repetition_penalty" },
  presence_penalty: { datatype: "FP32", field: "presence_penalty" },
  frequency_penalty: { datatype: "FP32", field: "frequency_penalty" },
  stop: { datatype: "BYTES", field: "stop", isList: true },
  stop_words: { datatype: "BYTES", field: "stop", isList: true },
  bad_words: { datatype: "BYTES", field: "bad_words", isList: true },
  end_id: { datatype: "INT32", field: "stop_token_ids", isList: true },
  n: { datatype: "INT32", field: "n" },
  num_return_sequences: { datatype: "INT32", field: "n" },
  // Prompts are never padded.
  pad_id: { datatype: "INT32" },
  beam_width: { datatype: "INT32", only: 1 },
  return_cumulative_logprob: { datatype: "BOOL", only: false },
  return_logprobs: { datatype: "BOOL", only: false },
  return_log_probs: { datatype: "BOOL", only: false },
  return_context_logits: { datatype: "BOOL", only: false },
  return_generation_logits: { datatype: "BOOL", only: false },
};

/** What an answer may have; the last three where their `return_` input is true. */
export const INFER_OUTPUTS = {
  text_output: "BYTES",
  finish_reason: "BYTES",
  num_input_tokens: "UINT32",
  num_output_tokens: "UINT32",
} as const;

export type InferOutput = keyof typeof INFER_OUTPUTS;

/** What an inference request asks of its answer. It travels with the query, which may be read on a thread. */
export type InferAsk = Readonly<{
  id: string;
  stream: boolean;
  /** Whether contents come and go as raw ones. */
  raw: boolean;
  outputs: readonly InferOutput[];
}>;

/** Only `text_input` has to be given; the shape of each is one element, and of a list any number. */
export function inferTensors(): Pick<inferApi.ModelMetadataResponse, "inputs" | "outputs"> {
  const tensor = (name: string, datatype: string, length: number) =>
    ({ name, datatype, shape: [BigInt(length)] }) as inferApi.ModelMetadataResponse_TensorMetadata;
  return {
    inputs: Object.entries(INFER_INPUTS).map(([name, { datatype, isList }]) => tensor(name, datatype, isList ? -1 : 1)),
    outputs: Object.entries(INFER_OUTPUTS).map(([name, datatype]) => tensor(name, datatype, -1)),
  };
}

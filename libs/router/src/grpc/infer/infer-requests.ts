import { parseExactJson } from "@drover/chat";
import { at, DroverError } from "@drover/core";
import { type GenerationQuery, type ModelFacts, readCompletion } from "@drover/openai";
import type { inferApi } from "@drover/proto";
import { INFER_INPUTS_MAX, INFER_PARAMETERS_MAX } from "../../limits.ts";
import { INFER_INPUTS, INFER_OUTPUTS, type InferAsk, type InferOutput } from "./infer-inputs.ts";
import { elementsOf, type InferElement, onlyElement } from "./infer-tensors.ts";

/** A query that says what its inference request asks of the answer. */
export type InferQuery = GenerationQuery & Readonly<{ infer: InferAsk }>;

type Fields = Record<string, unknown>;

/**
 * Reads an inference request by the same checks as a completion over HTTP: its inputs go before `sampling_parameters`, and these before its parameters.
 * Errors: those of `readCompletion`, and `invalid_argument` for inputs that are none, by their names.
 */
export function readInferMessage(
  message: inferApi.ModelInferRequest,
  facts: ModelFacts,
  isStream: boolean,
): readonly InferQuery[] {
  const { modelName, modelVersion, id, inputs, parameters } = message;
  if (modelVersion !== "" && modelVersion !== INFER_VERSION)
    throw new DroverError("model_not_found", "this version does not exist", { field: "model_version" });
  if (inputs.length > INFER_INPUTS_MAX) throw refusal("inputs", `may be at most ${INFER_INPUTS_MAX}`);
  if (Object.keys(parameters).length > INFER_PARAMETERS_MAX)
    throw refusal("parameters", `may be at most ${INFER_PARAMETERS_MAX}`);
  const given = inputElements(message);
  const stream = flag(given, "stream") ?? false;
  if (stream && !isStream) throw refusal("stream", "is for ModelStreamInfer");
  const exclude = flag(given, "exclude_input_in_output");
  if (stream && exclude === false) throw refusal("exclude_input_in_output", "must be true for a stream");
  const fields: Fields = {
    ...parameterFields(parameters),
    ...samplingParameters(given),
    ...inputFields(given),
    ...(modelName !== "" && { model: modelName }),
    echo: !(exclude ?? stream),
    stream,
  };
  refuseUnwritten(fields);
  const raw = message.rawInputContents.length > 0;
  const ask = { id, stream, raw, outputs: askedOutputs(message, given) };
  return [{ ...readCompletion(fields, facts), infer: ask }];
}

/** The only version of each model. */
export const INFER_VERSION = "1";

/** A refused field of the HTTP interface by the name that it has in the messages. */
export function inferField(field: string): string {
  return field.replace(/^model$/, "model_name").replace(/^prompt\b/, "text_input");
}

type Given = ReadonlyMap<string, readonly InferElement[]>;

function inputElements({ inputs, rawInputContents }: inferApi.ModelInferRequest): Given {
  const isRaw = rawInputContents.length > 0;
  if (isRaw && rawInputContents.length !== inputs.length)
    throw refusal("raw_input_contents", "must have an entry for each input");
  const given = new Map<string, readonly InferElement[]>();
  for (const [i, tensor] of inputs.entries()) {
    const { name, datatype } = tensor;
    const known = Object.hasOwn(INFER_INPUTS, name) ? INFER_INPUTS[name] : undefined;
    if (known === undefined) throw refusal(name === "" ? `inputs[${i}].name` : name, "is no input of this model");
    if (given.has(name)) throw refusal(name, "is given twice");
    const isLike = known.datatype === datatype || !(NAMED.has(known.datatype) || NAMED.has(datatype));
    if (!isLike) throw refusal(name, `must be ${known.datatype}`);
    const elements = elementsOf(tensor, isRaw ? at(rawInputContents, i) : undefined);
    if (!known.isList) onlyElement(name, elements);
    if (known.only !== undefined && elements[0] !== known.only) throw refusal(name, `is served as ${known.only} alone`);
    given.set(name, elements);
  }
  if (!given.has("text_input")) throw refusal("text_input", "is required");
  return given;
}

/** Of which no other datatype is taken: numbers are as good in one as in another. */
const NAMED: ReadonlySet<string> = new Set(["BYTES", "BOOL"]);

const flag = (given: Given, name: string): boolean | undefined => given.get(name)?.[0] as boolean | undefined;

function inputFields(given: Given): Fields {
  const fields: Fields = {};
  for (const [name, elements] of given) {
    const { field, isList } = INFER_INPUTS[name] ?? {};
    // Clients that have no words send one that is empty.
    if (field !== undefined) fields[field] = isList ? elements.filter((one) => one !== "") : elements[0];
  }
  return fields;
}

function samplingParameters(given: Given): Fields {
  const text = given.get("sampling_parameters")?.[0];
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = parseExactJson(String(text));
  } catch (cause) {
    throw new DroverError("invalid_argument", "must be a JSON object", { field: "sampling_parameters", cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refusal("sampling_parameters", "must be a JSON object");
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, typed(name, one)]));
}

function parameterFields(parameters: inferApi.ModelInferRequest["parameters"]): Fields {
  const own = Object.entries(parameters).filter(([name]) => !name.startsWith("triton_"));
  return Object.fromEntries(
    own.map(([name, { parameterChoice }]) => {
      const { value } = parameterChoice;
      return [name, typed(name, typeof value === "bigint" ? Number(value) : value)];
    }),
  );
}

/** Clients of protocols without fractions write numbers as text. */
function typed(name: string, value: unknown): unknown {
  if (typeof value !== "string" || TEXTS.has(name)) return value;
  if (/^(true|false)$/i.test(value)) return value.toLowerCase() === "true";
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value) ? Number(value) : value;
}

/** Whose values are texts, whatever they look like. */
const TEXTS: ReadonlySet<string> = new Set(["stop", "bad_words", "guided_regex", "guided_grammar", "user"]);

/** What an answer would need an output for that there is not. */
function refuseUnwritten(fields: Fields): void {
  for (const name of ["logprobs", "prompt_logprobs", "return_routed_experts", "return_token_ids", "stream_options"]) {
    const value = fields[name];
    if (value !== undefined && value !== null && value !== false)
      throw refusal(name, "has no output here: drover.v1.Inference and HTTP have it");
  }
}

function askedOutputs({ outputs }: inferApi.ModelInferRequest, given: Given): readonly InferOutput[] {
  for (const { name } of outputs)
    if (!Object.hasOwn(INFER_OUTPUTS, name)) throw refusal(`outputs.${name}`, "is no output of this model");
  const isAsked = (name: InferOutput) => outputs.length === 0 || outputs.some((one) => one.name === name);
  return (Object.keys(INFER_OUTPUTS) as InferOutput[]).filter(
    (name) => isAsked(name) && (name === "text_output" || flag(given, `return_${name}`) === true),
  );
}

function refusal(field: string, sentence: string): DroverError {
  return new DroverError("invalid_argument", sentence, { field: field.slice(0, 100) });
}

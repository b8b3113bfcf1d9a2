import { create, type Message } from "@bufbuild/protobuf";
import { at, type SamplingParams } from "@drover/core";
import { type Sampling, SamplingSchema, TokenSequenceSchema } from "@drover/proto";
import { numberFromWire } from "./numbers.ts";
import { wireFault } from "./wire-fault.ts";

/** What SamplingParams and the message say differently. Every other parameter has one name and one type in both, and needs no line here. */
type Translated = "logitBias" | "seed" | "bannedSequences";
type TranslatedFields = "logitBiasIds" | "logitBiasValues" | "seed" | "bannedSequences";
type SameFields = Omit<Sampling, keyof Message | TranslatedFields>;

/** The parameters as a message. The compiler refuses a field of the message that SamplingParams does not have. All fields are there, so protobuf-es need not look for them. */
export function samplingParamsToWire({ logitBias, seed, bannedSequences, ...params }: SamplingParams): Sampling {
  const same: SameFields = {
    ...params,
    stopTokenIds: [...params.stopTokenIds],
    allowedTokenIds: [...params.allowedTokenIds],
  };
  return {
    $typeName: SamplingSchema.typeName,
    ...same,
    seed: BigInt(seed),
    bannedSequences: bannedSequences.map((tokenIds) => create(TokenSequenceSchema, { tokenIds: [...tokenIds] })),
    logitBiasIds: logitBias.map(([id]) => id),
    logitBiasValues: logitBias.map(([, bias]) => bias),
  };
}

/**
 * The parameters of a message. The compiler refuses a parameter that the message does not have. Errors: `invalid_argument`, naming the field.
 * A parameter that an older build does not know reads as 0, so a new one is off at 0, or changes the protocol's version.
 */
export function samplingParamsFromWire(message: Sampling): SamplingParams {
  const { $typeName: _, $unknown: __, logitBiasIds, logitBiasValues, seed, bannedSequences, ...same } = message;
  const params: Omit<SamplingParams, Translated> = same;
  if (logitBiasIds.length !== logitBiasValues.length)
    throw wireFault("logit_bias_values", `has ${logitBiasValues.length} entries for ${logitBiasIds.length} ids`);
  if (params.n < 1) throw wireFault("n", "is 0; a request has at least one choice");
  return {
    ...params,
    seed: numberFromWire(seed, "seed"),
    bannedSequences: bannedSequences.map(({ tokenIds }) => tokenIds),
    logitBias: logitBiasIds.map((id, i) => [id, at(logitBiasValues, i)]),
  };
}

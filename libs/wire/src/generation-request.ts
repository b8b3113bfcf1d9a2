import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type GenerationRequest, modelId, requestId, routerId } from "@drover/core";
import {
  ConstrainedSamplingSchema,
  DeliveredChoiceSchema,
  GenerationRequestSchema,
  type GenerationRequest as Message,
} from "@drover/proto";
import { numberFromWire, u32FromWire, u32ToWire } from "./numbers.ts";
import { promptImageFromWire, promptImageToWire } from "./prompt-image.ts";
import { samplingParamsFromWire, samplingParamsToWire } from "./sampling-params.ts";
import { tenantFromWire, tenantToWire } from "./tenant.ts";
import { NO_TRACE, traceFromWire } from "./trace-context.ts";
import { wireFault } from "./wire-fault.ts";

/** The request as a job's payload. */
export function generationRequestToWire(request: GenerationRequest): Uint8Array {
  const { requestId, modelId, routerId, blockHashes, params, trace = NO_TRACE, delivered, grammar, tenant } = request;
  const isNew = delivered.every(({ tokenIds, finished }) => tokenIds.length === 0 && !finished);
  // With all of its fields: `create` would look for each of them, which took a fifth of all that an add takes.
  const message: Message = {
    $typeName: GenerationRequestSchema.typeName,
    requestId,
    modelId,
    routerId,
    blockHashes,
    traceparent: trace.traceparent,
    tracestate: trace.tracestate,
    ...tenantToWire({ ...(tenant && { tenant }) }),
    promptTokenIds: u32ToWire(request.promptTokenIds),
    deadlineMs: BigInt(request.deadlineMs),
    ...samplingParts(params, grammar),
    images: request.images.map(promptImageToWire),
    delivered: isNew ? [] : delivered.map(deliveredToWire),
  };
  return toBinary(GenerationRequestSchema, message);
}

const deliveredToWire = ({ tokenIds, finished }: GenerationRequest["delivered"][number]) =>
  create(DeliveredChoiceSchema, { tokenIds: [...tokenIds], finished });

/** A job's payload. Errors: `invalid_argument`, naming the field, for what no router writes. */
export function generationRequestFromWire(payload: Uint8Array): GenerationRequest {
  const message = decoded(payload);
  const { constrained, limited } = message;
  const sampling = limited?.sampling ?? constrained?.sampling ?? message.sampling;
  if (sampling === undefined) throw wireFault("sampling", "is missing");
  if (constrained?.grammar === "") throw wireFault("constrained.grammar", "is empty");
  const promptTokenIds = u32FromWire(message.promptTokenIds, "prompt_token_ids");
  if (promptTokenIds.length === 0) throw wireFault("prompt_token_ids", "is empty");
  const params = samplingParamsFromWire(sampling);
  return {
    requestId: requestId(message.requestId),
    modelId: modelId(message.modelId),
    routerId: routerId(message.routerId),
    promptTokenIds,
    images: message.images.map((image) => promptImageFromWire(image, promptTokenIds.length)),
    // A copy: the message's bytes are a view of the whole payload, which would stay with it.
    blockHashes: new Uint8Array(message.blockHashes),
    params,
    ...grammarOf(constrained?.grammar ?? limited?.grammar),
    delivered: deliveredFromWire(message.delivered, params.n),
    deadlineMs: numberFromWire(message.deadlineMs, "deadline_ms"),
    ...tenantFromWire(message.tenant),
    ...traceFromWire(message),
  };
}

/** How tokens are chosen, in a field that a build knows only if it knows all that it asks for. */
function samplingParts(params: GenerationRequest["params"], grammar: string | undefined) {
  const sampling = samplingParamsToWire(params);
  if (params.bannedSequences.length > 0 || params.allowedTokenIds.length > 0)
    return { limited: create(ConstrainedSamplingSchema, { sampling, grammar: grammar ?? "" }) };
  return grammar === undefined
    ? { sampling }
    : { constrained: create(ConstrainedSamplingSchema, { sampling, grammar }) };
}

function decoded(payload: Uint8Array): Message {
  try {
    return fromBinary(GenerationRequestSchema, payload);
  } catch (cause) {
    throw wireFault("payload", `is no generation request: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

const grammarOf = (grammar: string | undefined) => (grammar === undefined || grammar === "" ? {} : { grammar });

/** Of a new request nothing is delivered, and the message says nothing. */
function deliveredFromWire(delivered: Message["delivered"], n: number): GenerationRequest["delivered"] {
  if (delivered.length === 0) return Array.from({ length: n }, () => ({ tokenIds: [], finished: false }));
  if (delivered.length !== n) throw wireFault("delivered", `has ${delivered.length} entries for ${n} choices`);
  return delivered.map(({ tokenIds, finished }) => ({ tokenIds, finished }));
}

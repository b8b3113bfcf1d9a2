import { type TraceContext, type Tracer, toDroverError } from "@drover/core";
import { beginGeneration, taskOf } from "@drover/engine";
import { AttentionWorker, type PlaceRequest } from "@drover/proto";
import { type RpcService, rpcService, traceOf } from "@drover/rpc";
import { generationRequestFromWire, type PlaceRefusal, placeReplyToWire, placeRequestFromWire } from "@drover/wire";
import { RouterStream, type RouterStreamOptions } from "./router-stream.ts";

export type AttentionServiceOptions = RouterStreamOptions &
  Readonly<{
    vocabSize: number;
    /** Epochs below this come from a leader that was replaced. */
    leaderEpoch: () => bigint;
    /** Whether requests are taken now. */
    accepting: () => boolean;
    /** A request was taken. */
    onPlaced: () => void;
    tracer: Tracer;
  }>;

/** The gRPC face of the attention role: placements from the scheduler, token streams to the routers. */
export function attentionService(options: AttentionServiceOptions): RpcService {
  return rpcService(AttentionWorker, {
    place: (request, { metadata }) => placeReplyToWire(place(options, request, traceOf(metadata))),
    tokens: (stream) => RouterStream.serve(stream, options),
  });
}

/** Undefined: the worker has taken the request. */
function place(
  options: AttentionServiceOptions,
  message: PlaceRequest,
  caller: TraceContext | undefined,
): PlaceRefusal | undefined {
  const { leaderEpoch, attempt, payload } = placeRequestFromWire(message);
  if (leaderEpoch < options.leaderEpoch()) return { code: "stale_epoch", message: "a newer scheduler leads" };
  if (!options.accepting()) return { code: "unavailable", message: "the worker takes no requests now" };
  try {
    const generation = generationRequestFromWire(payload);
    const task = taskOf(generation, attempt, options.vocabSize);
    const trace = beginGeneration(options.tracer, caller ?? generation.trace, task);
    const refusal = options.engine.place({ ...task, trace });
    if (refusal !== undefined) trace?.end(refusal.code);
    else options.onPlaced();
    return refusal;
  } catch (error) {
    const { code, sentence } = toDroverError(error);
    return { code, message: sentence };
  }
}

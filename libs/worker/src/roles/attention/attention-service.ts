import { type TraceContext, type Tracer, toDroverError } from "@drover/core";
import { beginGeneration, taskOf } from "@drover/engine";
import type { PlaceReply, PlaceRequest, RouterMessage, WorkerMessage } from "@drover/proto";
import { traceOf } from "@drover/rpc";
import { generationRequestFromWire, type PlaceRefusal, placeReplyToWire, placeRequestFromWire } from "@drover/wire";
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData, UntypedServiceImplementation } from "@grpc/grpc-js";
import { RouterStream, type RouterStreamOptions } from "./router-stream.ts";

export type AttentionServiceOptions = RouterStreamOptions &
  Readonly<{
    vocabSize: number;
    /** Epochs below this come from a leader that was replaced. */
    leaderEpoch: () => bigint;
    /** Whether requests are taken now. */
    accepting: () => boolean;
    tracer: Tracer;
  }>;

/** The gRPC face of the attention role: placements from the scheduler, token streams to the routers. */
export function attentionService(options: AttentionServiceOptions): UntypedServiceImplementation {
  return {
    place: (call: ServerUnaryCall<PlaceRequest, PlaceReply>, callback: sendUnaryData<PlaceReply>) => {
      callback(null, placeReplyToWire(place(options, call.request, traceOf(call.metadata))));
    },
    tokens: (stream: ServerDuplexStream<RouterMessage, WorkerMessage>) => RouterStream.serve(stream, options),
  };
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
    return refusal;
  } catch (error) {
    const { code, message } = toDroverError(error);
    return { code, message };
  }
}

import { create } from "@bufbuild/protobuf";
import { type TraceContext, type Tracer, toDroverError } from "@drover/core";
import { beginGeneration, taskOf } from "@drover/engine";
import {
  type PlaceReply,
  PlaceReplySchema,
  type PlaceRequest,
  type RouterMessage,
  type WorkerMessage,
} from "@drover/proto";
import { traceOf } from "@drover/rpc";
import { generationRequestFromWire } from "@drover/wire";
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
      callback(null, place(options, call.request, traceOf(call.metadata)));
    },
    tokens: (stream: ServerDuplexStream<RouterMessage, WorkerMessage>) => RouterStream.serve(stream, options),
  };
}

function place(options: AttentionServiceOptions, request: PlaceRequest, caller?: TraceContext): PlaceReply {
  const refuse = (refusalCode: string, refusalMessage: string) =>
    create(PlaceReplySchema, { accepted: false, refusalCode, refusalMessage });
  if (request.leaderEpoch < options.leaderEpoch()) return refuse("stale_epoch", "a newer scheduler leads");
  if (!options.accepting()) return refuse("unavailable", "the worker takes no requests now");
  try {
    const generation = generationRequestFromWire(request.payload);
    const task = taskOf(generation, request.attempt, options.vocabSize);
    const trace = beginGeneration(options.tracer, caller ?? generation.trace, task);
    const refusal = options.engine.place({ ...task, trace });
    if (refusal !== undefined) trace?.end(refusal.code);
    return refusal === undefined ? create(PlaceReplySchema, { accepted: true }) : refuse(refusal.code, refusal.message);
  } catch (error) {
    const { code, message } = toDroverError(error);
    return refuse(code, message);
  }
}

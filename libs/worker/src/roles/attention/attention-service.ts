import { create } from "@bufbuild/protobuf";
import { DroverError, type Logger, type TraceContext, type Tracer, toDroverError } from "@drover/core";
import type { Engine, EventSink } from "@drover/engine";
import { beginGeneration, taskOf } from "@drover/engine";
import {
  type PlaceReply,
  PlaceReplySchema,
  type PlaceRequest,
  type RouterMessage as RouterData,
  type WorkerMessage as WorkerData,
} from "@drover/proto";
import { toServiceError, traceOf } from "@drover/rpc";
import {
  generationRequestFromWire,
  routerMessageFromWire,
  type WorkerMessage,
  workerMessageToWire,
} from "@drover/wire";
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData, UntypedServiceImplementation } from "@grpc/grpc-js";

export type AttentionServiceOptions = Readonly<{
  engine: Engine;
  workerId: string;
  incarnation: string;
  modelId: string;
  vocabSize: number;
  /** Epochs below this come from a leader that was replaced. */
  leaderEpoch: () => bigint;
  /** Whether requests are taken now. */
  accepting: () => boolean;
  /** Aborts when the worker holds nothing any more: routers are told so, and their streams end. */
  ended: AbortSignal;
  logger: Logger;
  tracer?: Tracer | undefined;
}>;

/** Bytes that may wait for a router that does not read; beyond it the stream is broken off and the router resumes from the log. */
const UNREAD_BYTES_MAX = 64 * 2 ** 20;

/** The gRPC face of the attention role: placements from the scheduler, token streams to the routers. */
export function attentionService(options: AttentionServiceOptions): UntypedServiceImplementation {
  return {
    place: (call: ServerUnaryCall<PlaceRequest, PlaceReply>, callback: sendUnaryData<PlaceReply>) => {
      callback(null, place(options, call.request, traceOf(call.metadata)));
    },
    tokens: (stream: ServerDuplexStream<RouterData, WorkerData>) => serveRouter(options, stream),
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

function serveRouter(options: AttentionServiceOptions, stream: ServerDuplexStream<RouterData, WorkerData>): void {
  const { engine, logger, ended } = options;
  let detach: () => void = () => undefined;
  const say = (message: WorkerMessage) => stream.write(workerMessageToWire(message));
  const sink: EventSink = {
    send: (events) => {
      if (stream.writableLength > UNREAD_BYTES_MAX)
        stream.emit("error", toServiceError(new DroverError("overloaded", "the router does not read its tokens")));
      else say({ kind: "step", events });
    },
  };
  stream.on("data", (data: RouterData) => {
    try {
      const message = routerMessageFromWire(data);
      if (message?.kind === "cancel") engine.cancel(message.requestId, message.attempt);
      if (message?.kind !== "hello") return;
      const { workerId, incarnation, modelId } = options;
      if (message.modelId !== modelId) throw new DroverError("model_not_found", `this worker serves ${modelId}`);
      const router = message.routerId;
      say({ kind: "hello", workerId, incarnation, modelId });
      engine.attach(router, sink, message.resumes);
      detach = () => engine.detach(router, sink);
      logger.info("router.attached", { router });
    } catch (error) {
      stream.emit("error", toServiceError(toDroverError(error)));
    }
  });
  const sayFarewell = () => {
    say({ kind: "farewell" });
    stream.end();
  };
  ended.addEventListener("abort", sayFarewell, { once: true });
  const end = () => {
    ended.removeEventListener("abort", sayFarewell);
    detach();
    detach = () => undefined;
  };
  stream.on("end", () => {
    end();
    stream.end();
  });
  stream.on("cancelled", end);
  stream.on("close", end);
  stream.on("error", end);
}

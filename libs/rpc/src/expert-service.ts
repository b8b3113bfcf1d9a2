import { create } from "@bufbuild/protobuf";
import { type DroverError, type ExpertRunner, noTracer, type Tracer } from "@drover/core";
import { ActivationType, type ExpertReply, ExpertReplySchema, type ExpertRequest, ExpertWorker } from "@drover/proto";
import { Metadata } from "@grpc/grpc-js";
import { runFrame } from "./expert-frame-runner.ts";
import { rowsOf } from "./expert-frames.ts";
import { Payload } from "./payload.ts";
import { type RpcService, rpcService } from "./rpc-service.ts";

/** Learns of each attention worker's stream, and of its end. */
export type ExpertStreamObserver = Readonly<{ streamOpened(): void; streamClosed(): void }>;

/** The server side of the exchange: every frame is begun at once, and answered when it is computed. */
export function expertService(
  runner: ExpertRunner,
  observer?: ExpertStreamObserver,
  tracer: Tracer = noTracer,
): RpcService {
  return rpcService(ExpertWorker, {
    exchange: (stream) => {
      let isOpen = true;
      const close = () => {
        if (isOpen) observer?.streamClosed();
        isOpen = false;
      };
      observer?.streamOpened();
      for (const end of ["end", "cancelled", "close", "error"]) stream.once(end, close);
      stream.sendMetadata(new Metadata());
      stream.on("data", (request: ExpertRequest) => {
        const reply = answer(runner, request, tracer);
        if (!(reply instanceof Promise)) stream.write(reply);
        // A caller that has left meanwhile is told nothing.
        else void reply.then((computed) => stream.writable && stream.write(computed));
      });
      stream.on("end", () => stream.end());
      stream.on("error", () => stream.destroy());
    },
  });
}

/** Computes one frame, or says in the error table's codes why not. */
function answer(runner: ExpertRunner, request: ExpertRequest, tracer: Tracer): ExpertReply | Promise<ExpertReply> {
  const { correlationId, layer, activationType, experts, rowCounts } = request;
  const trace = request.traceparent === "" ? undefined : request;
  const frame = { layer, activationType, experts, rowCounts, byteCount: request.rows.byteLength, trace };
  let y: Payload | undefined;
  const rows = () => {
    y = Payload.allocate(request.rows.byteLength);
    return { z_aD: rowsOf(request.rows), y_aD: rowsOf(y) };
  };
  const reply = (fault: DroverError | undefined) =>
    create(
      ExpertReplySchema,
      fault === undefined
        ? { correlationId, activationType: ActivationType.F32, ...(y && { rows: y }) }
        : { correlationId, errorCode: fault.code, errorMessage: fault.message },
    );
  const running = runFrame(runner, frame, rows, tracer);
  return running instanceof Promise ? running.then(reply) : reply(running);
}

import { create } from "@bufbuild/protobuf";
import { DroverError, type ExpertRunner, noTracer, type Tracer, toDroverError } from "@drover/core";
import { ActivationType, type ExpertReply, ExpertReplySchema, type ExpertRequest, ExpertWorker } from "@drover/proto";
import { Metadata } from "@grpc/grpc-js";
import { faultIn } from "./errors.ts";
import { FLOAT_BYTES, rowsOf } from "./expert-frames.ts";
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
        const reply = traced(runner, request, tracer);
        if (!(reply instanceof Promise)) stream.write(reply);
        // A caller that has left meanwhile is told nothing.
        else void reply.then((computed) => stream.writable && stream.write(computed));
      });
      stream.on("end", () => stream.end());
      stream.on("error", () => stream.destroy());
    },
  });
}

/** A frame that says so is computed under a span of its own. */
function traced(runner: ExpertRunner, request: ExpertRequest, tracer: Tracer): ExpertReply | Promise<ExpertReply> {
  if (request.traceparent === "") return answer(runner, request);
  const span = tracer.join("experts", request, {
    kind: "server",
    attributes: {
      "drover.layer": request.layer,
      "drover.experts": request.experts.length,
      "drover.rows": request.rowCounts.reduce((sum, count) => sum + count, 0),
    },
  });
  const end = (reply: ExpertReply) => {
    span?.end(faultIn(reply));
    return reply;
  };
  const reply = answer(runner, request);
  return reply instanceof Promise ? reply.then(end) : end(reply);
}

/** Computes one frame, or says in the error table's codes why not. */
function answer(runner: ExpertRunner, request: ExpertRequest): ExpertReply | Promise<ExpertReply> {
  const { correlationId } = request;
  const refusal = ({ code, message }: DroverError) =>
    create(ExpertReplySchema, { correlationId, errorCode: code, errorMessage: message });
  const fault = check(runner, request);
  if (fault !== undefined) return refusal(fault);
  const z = rowsOf(request.rows);
  const y = Payload.allocate(request.rows.byteLength);
  const computed = () => create(ExpertReplySchema, { correlationId, activationType: ActivationType.F32, rows: y });
  const running = runner.run(request.layer, request.experts, request.rowCounts, z, rowsOf(y));
  // A device that has failed ends its worker by itself.
  return running === undefined ? computed() : running.then(computed, (error) => refusal(toDroverError(error)));
}

function check(runner: ExpertRunner, request: ExpertRequest): DroverError | undefined {
  if (request.activationType !== ActivationType.F32)
    return new DroverError("invalid_argument", "this worker computes in f32");
  const rowCount = request.rowCounts.reduce((sum, count) => sum + count, 0);
  if (
    request.experts.length !== request.rowCounts.length ||
    rowCount * runner.hiddenSize * FLOAT_BYTES !== request.rows.byteLength
  ) {
    return new DroverError("invalid_argument", "a frame's rows do not match its counts");
  }
  const absent = request.experts.find((expert) => !runner.has(request.layer, expert));
  if (absent !== undefined)
    return new DroverError("not_found", `expert ${absent} of layer ${request.layer} is not loaded here`);
  return undefined;
}

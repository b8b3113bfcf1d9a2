import { create } from "@bufbuild/protobuf";
import { DroverError, type ExpertRunner, noTracer, type Tracer } from "@drover/core";
import { ActivationType, type ExpertReply, ExpertReplySchema, type ExpertRequest, ExpertWorker } from "@drover/proto";
import { Metadata } from "@grpc/grpc-js";
import { faultIn } from "./errors.ts";
import { FLOAT_BYTES, rowsOf } from "./expert-frames.ts";
import { Payload } from "./payload.ts";
import { type RpcService, rpcService } from "./rpc-service.ts";

/** Learns of each attention worker's stream, and of its end. */
export type ExpertStreamObserver = Readonly<{ streamOpened(): void; streamClosed(): void }>;

/** The server side of the exchange: every frame is computed at once and answered in order. */
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
      stream.on("data", (request: ExpertRequest) => stream.write(traced(runner, request, tracer)));
      stream.on("end", () => stream.end());
      stream.on("error", () => stream.destroy());
    },
  });
}

/** A frame that says so is computed under a span of its own. */
function traced(runner: ExpertRunner, request: ExpertRequest, tracer: Tracer): ExpertReply {
  if (request.traceparent === "") return answer(runner, request);
  const span = tracer.join("experts", request, {
    kind: "server",
    attributes: {
      "drover.layer": request.layer,
      "drover.experts": request.experts.length,
      "drover.rows": request.rowCounts.reduce((sum, count) => sum + count, 0),
    },
  });
  const reply = answer(runner, request);
  span?.end(faultIn(reply));
  return reply;
}

/** Computes one frame, or says in the error table's codes why not. */
function answer(runner: ExpertRunner, request: ExpertRequest): ExpertReply {
  const fault = check(runner, request);
  if (fault !== undefined) {
    return create(ExpertReplySchema, {
      correlationId: request.correlationId,
      errorCode: fault.code,
      errorMessage: fault.message,
    });
  }
  const z = rowsOf(request.rows);
  const y = Payload.allocate(request.rows.byteLength);
  runner.run(request.layer, request.experts, request.rowCounts, z, rowsOf(y));
  return create(ExpertReplySchema, {
    correlationId: request.correlationId,
    activationType: ActivationType.F32,
    rows: y,
  });
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

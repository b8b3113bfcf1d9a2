import { once } from "node:events";
import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type Clock, DroverError, type Logger, neverAborted, toDroverError, withTimeout } from "@drover/core";
import { publicApi } from "@drover/proto";
import { channelOptions, serviceDefinition, toServiceError, traceOf } from "@drover/rpc";
import {
  type handleUnaryCall,
  type Metadata,
  Server,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import type { ApiKeys } from "../api-keys.ts";
import { publicError } from "../http/http-errors.ts";
import { BODY_BYTES_MAX, READER_STALL_LIMIT } from "../limits.ts";
import { encodeChat, readChatRequest, requireModel } from "../openai/chat-request.ts";
import { encodePrompt, readCompletionRequest } from "../openai/completion-request.ts";
import { Fields } from "../openai/fields.ts";
import type { InferenceRequest } from "../openai/inference-request.ts";
import type { RequestContext } from "../openai/request-context.ts";
import type { Inference } from "../requests/inference.ts";
import { GrpcReplies } from "./grpc-replies.ts";
import { chatBody, generateBody } from "./grpc-requests.ts";

export type GrpcServerOptions = Readonly<{ inference: Inference; keys: ApiKeys; logger: Logger }>;

export type GrpcServer = Readonly<{ server: Server; setReady: (ready: boolean) => void }>;

type StreamCall<T> = ServerWritableStream<T, publicApi.GenerateReply>;
type Read = (context: RequestContext) => Promise<{ request: InferenceRequest }>;

/** drover.v1.Inference with health and reflection. Not yet listening. */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { inference } = options;
  const { model } = inference;
  const server = new Server({ ...channelOptions, "grpc.max_receive_message_length": BODY_BYTES_MAX });
  const unary = <Q, R>(handle: (request: Q) => Promise<R>): handleUnaryCall<Q, R> => {
    return (call, callback) => {
      const answer = async () => {
        authenticate(options, call.metadata);
        return handle(call.request);
      };
      answer().then(
        (reply) => callback(null, reply),
        (error: unknown) => callback(refusal(error, options.logger)),
      );
    };
  };
  server.addService(serviceDefinition(publicApi.Inference), {
    chat: (call: StreamCall<publicApi.ChatRequest>) =>
      serve(call, options, (context) => readChatRequest(chatBody(call.request), model, context)),
    generate: (call: StreamCall<publicApi.GenerateRequest>) =>
      serve(call, options, (context) => readCompletionRequest(generateBody(call.request), model, context)),
    tokenize: unary(async (request: publicApi.TokenizeRequest) =>
      create(publicApi.TokenizeReplySchema, { tokenIds: Array.from(await tokenize(request, inference)) }),
    ),
    listModels: unary(async (_request: publicApi.ListModelsRequest) =>
      create(publicApi.ListModelsReplySchema, {
        models: [{ id: model.modelId, contextTokensMax: BigInt(inference.contextTokensMax) }],
      }),
    ),
  } as UntypedServiceImplementation);
  const health = new HealthImplementation();
  health.addToServer(server);
  const setReady = (ready: boolean) => {
    for (const service of ["", publicApi.Inference.typeName])
      health.setStatus(service, ready ? "SERVING" : "NOT_SERVING");
  };
  setReady(false);
  reflection(publicApi.Inference.file).addToServer(server);
  return { server, setReady };
}

async function tokenize({ model, input }: publicApi.TokenizeRequest, inference: Inference): Promise<Uint32Array> {
  const { model: served } = inference;
  const chosen = model === "" ? {} : { model };
  if (input.case === "chat") {
    const body = new Fields({ ...chatBody(input.value), ...chosen });
    requireModel(body, served, false);
    return (await encodeChat(body, served, inference.tokenizeContext(neverAborted))).promptTokenIds;
  }
  const body = new Fields({ ...chosen, prompt: input.value });
  requireModel(body, served, false);
  return (await encodePrompt(body, served, inference.tokenizeContext(neverAborted))).ids;
}

function serve<T>(call: StreamCall<T>, options: GrpcServerOptions, read: Read): void {
  stream(call, options, read).then(
    () => call.end(),
    (error: unknown) => {
      if (!call.cancelled) call.emit("error", refusal(error, options.logger));
    },
  );
}

async function stream<T>(call: StreamCall<T>, options: GrpcServerOptions, read: Read): Promise<void> {
  const { inference } = options;
  authenticate(options, call.metadata);
  using permit = inference.admit({ operation: call.getPath().slice(1), ...traceOf(call.metadata) });
  const client = new AbortController();
  call.on("cancelled", () => client.abort(new DroverError("cancelled", "the client has left")));
  const { request } = await inference.read(read(inference.requestContext(permit, client.signal)), permit);
  const generation = await inference.start(request, permit, client.signal);
  const replies = new GrpcReplies(generation.requestId, inference.model, request);
  const over = AbortSignal.any([client.signal, generation.failed]);
  try {
    for await (const batch of generation.outputs()) {
      for (const output of batch) {
        for (const reply of replies.push(output)) {
          if (!call.write(reply)) await drained(call, inference.clock, over);
        }
      }
    }
  } finally {
    inference.cancel(generation);
  }
}

/** Errors: what the signal says, or `cancelled` for a client that takes nothing for too long. */
async function drained<T>(call: StreamCall<T>, clock: Clock, over: AbortSignal): Promise<void> {
  await withTimeout(READER_STALL_LIMIT, clock, over, (signal) => once(call, "drain", { signal }));
}

function authenticate({ keys }: GrpcServerOptions, metadata: Metadata): void {
  const given = metadata.get("authorization")[0];
  keys.check(typeof given === "string" ? given : undefined);
}

function refusal(error: unknown, logger: Logger) {
  const fault = toDroverError(error);
  if (fault.code === "internal") logger.error("grpc.internal_error", { reason: fault.message, stack: fault.stack });
  return toServiceError(publicError(fault));
}

/** Reflection from the descriptors that the generated code carries. */
function reflection(file: DescFile): ReflectionService {
  const bytes = Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto));
  const described = { format: "Protocol Buffer 3 DescriptorProto", type: {}, fileDescriptorProtos: [bytes] };
  return new ReflectionService({ [file.name]: described } as unknown as ConstructorParameters<
    typeof ReflectionService
  >[0]);
}

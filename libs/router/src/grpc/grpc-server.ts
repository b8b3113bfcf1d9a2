import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { at } from "@drover/core";
import type { GenerationQuery, TokenizeQuery } from "@drover/openai";
import { inferApi, publicApi } from "@drover/proto";
import {
  bytesService,
  channelOptions,
  dropCancelledCalls,
  failStream,
  type RpcService,
  requestIdIn,
  tellRequestIds,
  traceOf,
} from "@drover/rpc";
import { Server, type ServerWritableStream } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, service as healthService } from "grpc-health-check";
import { GRPC_IDLE_MS_MAX, GRPC_STREAMS_MAX } from "../limits.ts";
import { countMessages } from "./counted-messages.ts";
import { authenticate, clientOf, drained, type GrpcCallParts, refusal, unary } from "./grpc-calls.ts";
import { GrpcReplies } from "./grpc-replies.ts";
import { inferService } from "./infer/infer-service.ts";
import { messagePath } from "./message-readers.ts";
import { messageOfParts } from "./reply-bytes.ts";
import { tokenizeReply } from "./tokenize-reply.ts";

export type GrpcServer = Readonly<{ server: Server; setReady: (ready: boolean) => void }>;

type StreamCall = ServerWritableStream<Uint8Array, publicApi.GenerateReply | Buffer>;

const { chat, generate, tokenize } = publicApi.Inference.method;

/** drover.v1.Inference and KServe's protocol, with health and reflection. Not yet listening. */
export function createGrpcServer(options: GrpcCallParts): GrpcServer {
  const server = new Server({
    ...channelOptions,
    "grpc.max_receive_message_length": options.bodies.bytesMax,
    "grpc.max_concurrent_streams": GRPC_STREAMS_MAX,
    "grpc.max_connection_idle_ms": GRPC_IDLE_MS_MAX,
    // The first one reads the calls' own streams.
    interceptors: [countMessages(options.bodies), dropCancelledCalls, tellRequestIds],
  });
  server.addService(...inferenceService(options));
  server.addService(...inferService(options));
  const health = new HealthImplementation();
  health.addToServer(server);
  const setReady = (ready: boolean) => {
    for (const service of ["", publicApi.Inference.typeName, inferApi.GRPCInferenceService.typeName])
      health.setStatus(service, ready ? "SERVING" : "NOT_SERVING");
  };
  setReady(false);
  reflection([publicApi.Inference.file, inferApi.GRPCInferenceService.file]).addToServer(server);
  return { server, setReady };
}

function inferenceService(options: GrpcCallParts): RpcService {
  const { bodies, deployments } = options;
  return bytesService(publicApi.Inference, {
    chat: (call) => serve(call, options, messagePath(chat)),
    generate: (call) => serve(call, options, messagePath(generate)),
    tokenize: unary(options, async (bytes, client) => {
      using body = bodies.take(bytes);
      const { model, query } = await bodies.read<TokenizeQuery>(body, messagePath(tokenize), client);
      const { inference } = deployments.reading(model);
      return tokenizeReply(await inference.tokenize(query().prompt, client));
    }),
    listModels: unary(options, async () =>
      create(publicApi.ListModelsReplySchema, {
        models: [...deployments].map(({ modelId, inference }) => ({
          id: modelId,
          contextTokensMax: BigInt(inference.facts.contextTokensMax),
        })),
      }),
    ),
  });
}

function serve(call: StreamCall, options: GrpcCallParts, path: string): void {
  stream(call, options, path).then(
    () => call.end(),
    (error: unknown) => {
      if (!call.cancelled) failStream(call, refusal(error, options.logger));
    },
  );
}

async function stream(call: StreamCall, options: GrpcCallParts, path: string): Promise<void> {
  const { bodies, deployments } = options;
  const { account, begun } = authenticate(options, call.metadata);
  using _begun = begun();
  const client = clientOf(call);
  using body = bodies.take(call.request);
  const { model, query } = await bodies.read<readonly GenerationQuery[]>(body, path, client);
  const { inference } = deployments.reading(model);
  const incoming = { operation: call.getPath().slice(1), name: requestIdIn(call.metadata), ...traceOf(call.metadata) };
  using permit = inference.admit(incoming, account);
  const { batch } = await inference.begin(query, permit, client, () => body[Symbol.dispose]());
  const replies = new GrpcReplies(batch.requestId, inference.model, at(batch.requests, 0));
  const over = AbortSignal.any([client, batch.failed]);
  try {
    for await (const outputs of batch.outputs()) {
      for (const output of outputs) {
        for (const reply of replies.push(output)) {
          const isOpening = "kind" in reply;
          const written = isOpening ? await messageOfParts(publicApi.GenerateReplySchema, reply.parts) : reply;
          if (!call.write(written)) await drained(call, inference.clock, over);
        }
      }
    }
  } finally {
    inference.cancel(batch);
  }
}

type Described = ConstructorParameters<typeof ReflectionService>[0];

/** Reflection of the services, from the descriptors that the generated code carries, and of health, from its package's. */
function reflection(files: readonly DescFile[]): ReflectionService {
  const described = (file: DescFile) => {
    const bytes = Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto));
    return { format: "Protocol Buffer 3 DescriptorProto", type: {}, fileDescriptorProtos: [bytes] };
  };
  // What proto-loader made of the package's own file.
  const { requestType } = healthService.Check as unknown as Readonly<{ requestType: ReturnType<typeof described> }>;
  const own = Object.fromEntries(files.map((file) => [file.name, described(file)]));
  return new ReflectionService({ ...own, health: requestType } as unknown as Described);
}

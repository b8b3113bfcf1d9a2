import { once } from "node:events";
import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { at, type Clock, DroverError, type Logger, toDroverError, withTimeout } from "@drover/core";
import { type GenerationQuery, publicError, type TokenizeQuery } from "@drover/openai";
import { publicApi } from "@drover/proto";
import { bytesService, channelOptions, dropCancelledCalls, failStream, type RpcService, traceOf } from "@drover/rpc";
import { type Metadata, Server, type ServerWritableStream } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, service as healthService } from "grpc-health-check";
import { type ApiKeys, beginFor } from "../api-keys.ts";
import type { Bodies } from "../bodies/bodies.ts";
import type { Deployments } from "../deployments.ts";
import { BODY_BYTES_MAX, GRPC_STREAMS_MAX, READER_STALL_LIMIT } from "../limits.ts";
import type { TenantUsage } from "../requests/tenant-usage.ts";
import { GrpcReplies } from "./grpc-replies.ts";
import { messageField } from "./grpc-requests.ts";
import { messagePath } from "./message-readers.ts";
import { messageOfParts } from "./reply-bytes.ts";
import { tokenizeReply } from "./tokenize-reply.ts";

export type GrpcServerOptions = Readonly<{
  deployments: Deployments;
  keys: ApiKeys;
  usage: TenantUsage;
  logger: Logger;
  bodies: Bodies;
}>;

export type GrpcServer = Readonly<{ server: Server; setReady: (ready: boolean) => void }>;

type StreamCall = ServerWritableStream<Uint8Array, publicApi.GenerateReply | Buffer>;

const { chat, generate, tokenize } = publicApi.Inference.method;

/** drover.v1.Inference with health and reflection. Not yet listening. */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const server = new Server({
    ...channelOptions,
    "grpc.max_receive_message_length": BODY_BYTES_MAX,
    "grpc.max_concurrent_streams": GRPC_STREAMS_MAX,
    interceptors: [dropCancelledCalls],
  });
  server.addService(...inferenceService(options));
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

function inferenceService(options: GrpcServerOptions): RpcService {
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

type Cancellable = Readonly<{ cancelled: boolean; on(event: "cancelled", listener: () => void): unknown }>;
type Unary<Q, R> = (request: Q, call: Cancellable & Readonly<{ metadata: Metadata }>) => Promise<R>;
type Handle<Q, R> = (request: Q, client: AbortSignal) => Promise<R>;

function unary<Q, R>(options: GrpcServerOptions, handle: Handle<Q, R>): Unary<Q, R> {
  return async (request, call) => {
    try {
      const client = clientOf(call);
      using _begun = authenticate(options, call.metadata).begun();
      return await handle(request, client);
    } catch (error) {
      throw refusal(error, options.logger);
    }
  };
}

function serve(call: StreamCall, options: GrpcServerOptions, path: string): void {
  stream(call, options, path).then(
    () => call.end(),
    (error: unknown) => {
      if (!call.cancelled) failStream(call, refusal(error, options.logger));
    },
  );
}

async function stream(call: StreamCall, options: GrpcServerOptions, path: string): Promise<void> {
  const { bodies, deployments } = options;
  const { account, begun } = authenticate(options, call.metadata);
  using _begun = begun();
  const client = clientOf(call);
  using body = bodies.take(call.request);
  const { model, query } = await bodies.read<readonly GenerationQuery[]>(body, path, client);
  const { inference } = deployments.reading(model);
  using permit = inference.admit({ operation: call.getPath().slice(1), ...traceOf(call.metadata) }, account);
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

/** Errors: what the signal says, or `cancelled` for a client that takes nothing for too long. */
async function drained(call: StreamCall, clock: Clock, over: AbortSignal): Promise<void> {
  await withTimeout(READER_STALL_LIMIT, clock, over, (signal) => once(call, "drain", { signal }));
}

/** Aborts when the call is cancelled, also when it was already. */
function clientOf(call: Cancellable): AbortSignal {
  const client = new AbortController();
  const leave = () => client.abort(new DroverError("cancelled", "the client has left"));
  call.on("cancelled", leave);
  if (call.cancelled) leave();
  return client.signal;
}

/** Whose call it is; `begun` counts it until it is over. Errors: `unauthenticated`; of `begun`, `rate_limit_exceeded`. */
function authenticate({ keys, usage }: GrpcServerOptions, metadata: Metadata) {
  const given = metadata.get("authorization")[0];
  const account = keys.check(typeof given === "string" ? given : undefined);
  return { account, begun: () => beginFor(account, keys, usage) };
}

/** What a client is told; faults of this side are logged. */
function refusal(error: unknown, logger: Logger): DroverError {
  const fault = inMessageNames(toDroverError(error));
  if (fault.code === "internal") logger.error("grpc.internal_error", { reason: fault.message, stack: fault.stack });
  return publicError(fault);
}

/** An error of a client names the field as its message has it. */
function inMessageNames(error: DroverError): DroverError {
  const { code, message, field, retryAfterMs, cause } = error;
  if (field === undefined) return error;
  return new DroverError(code, message, {
    field: messageField(field),
    cause,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

type Described = ConstructorParameters<typeof ReflectionService>[0];

/** Reflection of the service, from the descriptors that the generated code carries, and of health, from its package's. */
function reflection(file: DescFile): ReflectionService {
  const bytes = Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto));
  const described = { format: "Protocol Buffer 3 DescriptorProto", type: {}, fileDescriptorProtos: [bytes] };
  // What proto-loader made of the package's own file.
  const { requestType } = healthService.Check as unknown as Readonly<{ requestType: typeof described }>;
  return new ReflectionService({ [file.name]: described, health: requestType } as unknown as Described);
}

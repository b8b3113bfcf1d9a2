import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { at, DroverError } from "@drover/core";
import { inferApi } from "@drover/proto";
import { bytesService, failStream, type RpcService, requestIdIn, toServiceError, traceOf } from "@drover/rpc";
import type { Account } from "@drover/tenants";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { INFER_STREAM_REQUESTS_MAX } from "../../limits.ts";
import { authenticate, type Called, clientOf, drained, type GrpcCallParts, refusal, unary } from "../grpc-calls.ts";
import { decodedMessage, inferPath } from "../message-readers.ts";
import { inferTensors } from "./infer-inputs.ts";
import { InferReplies } from "./infer-replies.ts";
import { INFER_VERSION, type InferQuery, inferField } from "./infer-requests.ts";

type StreamCall = ServerDuplexStream<Uint8Array, inferApi.ModelStreamInferResponse | Buffer>;

/** Takes each answer as it comes; resolves when the next one may be given. */
type Send = (answer: inferApi.ModelInferResponse) => Promise<void>;

const { modelInfer, modelStreamInfer } = inferApi.GRPCInferenceService.method;

/** KServe's protocol, version 2, over the same way into the cluster as Drover's own. Who lives and is ready is told without a key, as over HTTP. */
export function inferService(parts: GrpcCallParts): RpcService {
  return bytesService(inferApi.GRPCInferenceService, {
    serverLive: () => create(inferApi.ServerLiveResponseSchema, { live: true }),
    serverReady: () => create(inferApi.ServerReadyResponseSchema, { ready: parts.isReady() }),
    serverMetadata: () =>
      create(inferApi.ServerMetadataResponseSchema, { name: "drover", version: parts.version, extensions: EXTENSIONS }),
    modelReady: unary(parts, async (bytes) => {
      const { name, version } = decodedMessage(inferApi.ModelReadyRequestSchema, bytes);
      const isThere = named(parts, name) !== undefined && isVersion(version);
      return create(inferApi.ModelReadyResponseSchema, { ready: isThere && parts.isReady() });
    }),
    modelMetadata: unary(parts, async (bytes) => {
      const { name, version } = decodedMessage(inferApi.ModelMetadataRequestSchema, bytes);
      const model = named(parts, name);
      if (model === undefined) throw new DroverError("model_not_found", "this model does not exist", { field: "name" });
      if (!isVersion(version))
        throw new DroverError("model_not_found", "this version does not exist", { field: "version" });
      const facts = { name: model, versions: [INFER_VERSION], platform: "drover" };
      return create(inferApi.ModelMetadataResponseSchema, { ...facts, ...inferTensors() });
    }),
    modelInfer: unary(
      parts,
      async (bytes, client, by) => {
        let last: inferApi.ModelInferResponse | undefined;
        await infer(parts, bytes, { ...by, client, path: inferPath(modelInfer) }, async (answer) => {
          last = answer;
        });
        if (last === undefined) throw new DroverError("internal", "a request ended without an answer");
        return last;
      },
      inferField,
    ),
    modelStreamInfer: (call) => void serveStream(call, parts),
  });
}

/** By the names of Triton's server. */
const EXTENSIONS = ["model_transaction_policy(decoupled)", "parameters"];

const isVersion = (version: string): boolean => version === "" || version === INFER_VERSION;

/** The model that a name is of. */
function named({ deployments }: GrpcCallParts, name: string): string | undefined {
  for (const { modelId, model } of deployments) if (modelId === name || model.aliases.includes(name)) return modelId;
  return undefined;
}

type Asked = Readonly<{ call: Called; account: Account; path: string; client: AbortSignal }>;

/** Runs one request to its end. Errors: those of reading and running it, and of `send`. */
async function infer(
  { bodies, deployments }: GrpcCallParts,
  bytes: Uint8Array,
  { call, account, path, client }: Asked,
  send: Send,
): Promise<void> {
  using body = bodies.take(bytes);
  const { model, query } = await bodies.read<readonly InferQuery[]>(body, path, client);
  const { inference } = deployments.reading(model);
  const ask = askOf(query);
  const name = ask !== undefined && SHORT_AND_PRINTABLE.test(ask.id) ? ask.id : requestIdIn(call.metadata);
  const incoming = { operation: call.getPath().slice(1), name, ...traceOf(call.metadata) };
  using permit = inference.admit(incoming, account);
  const { batch } = await inference.begin(query, permit, client, () => body[Symbol.dispose]());
  try {
    if (ask === undefined) throw new DroverError("internal", "a query that was read says what it asks");
    const replies = new InferReplies(ask, inference.model.modelId, at(batch.requests, 0));
    for await (const outputs of batch.outputs())
      for (const output of outputs) {
        const answer = replies.push(output);
        if (answer !== undefined) await send(answer);
      }
  } finally {
    inference.cancel(batch);
  }
}

/** The id of a request whose bytes may be no message. */
function idOf(bytes: Uint8Array): string {
  const { id } = inferApi.ModelInferRequestSchema.field;
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      if (number === id.number && wireType === WireType.LengthDelimited) return reader.string();
      reader.skip(wireType, number);
    }
  } catch (error) {
    // What reads the whole message says what it is.
    if (!(error instanceof Error)) throw error;
  }
  return "";
}

/** An id that can stand in a line of a log as it came. */
const SHORT_AND_PRINTABLE = /^[ -~]{1,128}$/;

/** What is asked of the answer; undefined where the request is refused, which beginning it tells. */
function askOf(query: () => readonly InferQuery[]): InferQuery["infer"] | undefined {
  try {
    return at(query(), 0).infer;
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    return undefined;
  }
}

/** Takes requests while the client sends them, so many at once; the call ends with the last answer. What ends a request is told in the stream, and no other request. */
async function serveStream(call: StreamCall, parts: GrpcCallParts): Promise<void> {
  try {
    const { account, begun } = authenticate(parts, call.metadata);
    const client = clientOf(call);
    const running = new Set<Promise<void>>();
    for await (const bytes of call) {
      const asked = { call, account, path: inferPath(modelStreamInfer), client };
      const one = answerInStream(call, parts, bytes, asked, begun).finally(() => running.delete(one));
      running.add(one);
      if (running.size >= INFER_STREAM_REQUESTS_MAX) await Promise.race(running);
    }
    await Promise.all(running);
    if (!call.cancelled) call.end();
  } catch (error) {
    if (!call.cancelled) failStream(call, refusal(error, parts.logger, inferField));
  }
}

async function answerInStream(
  call: StreamCall,
  parts: GrpcCallParts,
  bytes: Uint8Array,
  asked: Asked,
  begun: () => Disposable,
): Promise<void> {
  const write = async (fields: MessageInitShape<typeof inferApi.ModelStreamInferResponseSchema>) => {
    const isTaken = call.write(create(inferApi.ModelStreamInferResponseSchema, fields));
    const { inference } = parts.deployments.reading(undefined);
    if (!isTaken) await drained(call, inference.clock, asked.client);
  };
  // Its message may go to a thread, with its bytes.
  const id = idOf(bytes);
  try {
    using _begun = begun();
    await infer(parts, bytes, asked, (inferResponse) => write({ inferResponse }));
  } catch (error) {
    const fault = refusal(error, parts.logger, inferField);
    if (asked.client.aborted) return;
    await write({ errorMessage: toServiceError(fault).details, inferResponse: { id } });
  }
}

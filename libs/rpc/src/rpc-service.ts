import type {
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageShape,
} from "@bufbuild/protobuf";
import { assert, type DroverError, toDroverError } from "@drover/core";
import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { toServiceError } from "./errors.ts";
import { serviceDefinition } from "./service.ts";

type Replied<Reply> = Reply | Promise<Reply>;
type UnaryHandler<Request, Reply> = (request: Request, call: ServerUnaryCall<Request, Reply>) => Replied<Reply>;
type ClientStreamHandler<Request, Reply> = (call: ServerReadableStream<Request, Reply>) => Replied<Reply>;

/** What answers a method of this kind. One reply is returned, or a fault is thrown; a stream of replies is written and ended by its handler. */
type Handler<Method> =
  Method extends DescMethodUnary<infer I, infer O>
    ? UnaryHandler<MessageShape<I>, MessageShape<O>>
    : Method extends DescMethodClientStreaming<infer I, infer O>
      ? ClientStreamHandler<MessageShape<I>, MessageShape<O>>
      : Method extends DescMethodServerStreaming<infer I, infer O>
        ? (call: ServerWritableStream<MessageShape<I>, MessageShape<O>>) => void
        : Method extends DescMethodBiDiStreaming<infer I, infer O>
          ? (call: ServerDuplexStream<MessageShape<I>, MessageShape<O>>) => void
          : never;

/** What answers a service: a handler for each of its methods, in the types of its messages. */
export type RpcHandlers<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]: Handler<Service["method"][Name]>;
};

type OfBytes<Handle> = Handle extends (call: ServerWritableStream<infer _I, infer O>) => void
  ? (call: ServerWritableStream<Uint8Array, O | Buffer>) => void
  : Handle extends (call: ServerDuplexStream<infer _I, infer O>) => void
    ? (call: ServerDuplexStream<Uint8Array, O | Buffer>) => void
    : Handle extends UnaryHandler<infer _I, infer O>
      ? UnaryHandler<Uint8Array, O | Buffer>
      : never;

/**
 * What answers a service whose requests its handlers read themselves, such as on a thread: they get their bytes. A reply may be bytes too, where
 * writing it in one go would take long.
 */
export type BytesHandlers<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]: OfBytes<Handler<Service["method"][Name]>>;
};

/** A service as grpc-js's servers take it: `server.addService(...service)`. */
export type RpcService = readonly [definition: ServiceDefinition, implementation: UntypedServiceImplementation];

/**
 * The service, answered by its handlers. What a handler of one reply throws is told to the caller: a DroverError as it is, anything else as
 * `internal`. A failed assertion crashes the process.
 */
export function rpcService<Service extends DescService>(service: Service, handlers: RpcHandlers<Service>): RpcService {
  const byName = handlers as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
  const implementation: Record<string, (...args: readonly never[]) => void> = {};
  for (const { localName, methodKind } of service.methods) {
    const handle = byName[localName];
    assert(handle !== undefined, "every method of a service has its handler");
    if (methodKind === "unary")
      implementation[localName] = (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) => {
        // Its caller has given it up while this process did not run, and was told that nothing has come of it.
        if (!call.cancelled) void answer(() => handle(call.request, call), callback);
      };
    else if (methodKind === "client_streaming")
      implementation[localName] = (call: ServerReadableStream<unknown, unknown>, callback: sendUnaryData<unknown>) =>
        void answer(() => handle(call), callback);
    else implementation[localName] = (call: unknown) => void handle(call);
  }
  return [serviceDefinition(service), implementation as unknown as UntypedServiceImplementation];
}

/** As `rpcService`, but its handlers get the bytes of each request, and may answer one with the bytes of its reply. */
export function bytesService<Service extends DescService>(
  service: Service,
  handlers: BytesHandlers<Service>,
): RpcService {
  const [definition, implementation] = rpcService(service, handlers as unknown as RpcHandlers<Service>);
  const asBytes = Object.entries(definition).map(
    ([name, method]) =>
      [
        name,
        {
          ...method,
          requestDeserialize: (bytes: Buffer) => bytes,
          responseSerialize: (reply: unknown) => (Buffer.isBuffer(reply) ? reply : method.responseSerialize(reply)),
        },
      ] as const,
  );
  return [Object.fromEntries(asBytes), implementation];
}

/** Ends a stream of replies with a fault. A stream that is destroyed would send no status. */
export function failStream(call: { emit(event: "error", error: Error): boolean }, fault: DroverError): void {
  call.emit("error", toServiceError(fault));
}

async function answer(handle: () => unknown, callback: sendUnaryData<unknown>): Promise<void> {
  let reply: unknown;
  try {
    reply = await handle();
  } catch (error) {
    callback(toServiceError(toDroverError(error)));
    return;
  }
  callback(null, reply);
}

import type {
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageShape,
} from "@bufbuild/protobuf";
import { DroverError, type TraceContext } from "@drover/core";
import { Calls } from "@drover/proto";
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  connectivityState,
  credentials,
  type Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { cancelOnTheWire } from "./cancelled-calls.ts";
import { CarriedCalls } from "./carried/carried-calls.ts";
import { codecOf } from "./codecs.ts";
import { fromServiceError } from "./errors.ts";
import { type Membership, ownMembership, setProof } from "./membership/membership.ts";
import { PROTOCOL, type Protocol, setProtocol } from "./protocol.ts";
import type { PeerIdentity } from "./server.ts";
import { channelOptions } from "./settings.ts";
import { traceMetadata } from "./trace-metadata.ts";

/** Of calls whose request is sent at once. Streams of requests live long, and each of their messages would pass the interceptor. */
const ONE_REQUEST = { interceptors: [cancelOnTheWire] };

/** What carries a connection's calls, where it is not gRPC's own HTTP/2: a simulated network in tests. */
export type Channel = NonNullable<NonNullable<ConstructorParameters<typeof Client>[2]>["channelOverride"]>;

type ConnectionOptions = PeerIdentity & Readonly<{ channel?: (address: string) => Channel }>;

/** Why a call failed that nobody here has cancelled: where it was cancelled all the same, the other side has dropped it. */
function faultOf(error: ServiceError): DroverError {
  const fault = fromServiceError(error);
  if (fault.code !== "cancelled") return fault;
  return new DroverError("unavailable", `the peer dropped the call: ${fault.message}`, { cause: error });
}

/** One connection to a peer, for any service that it serves. */
export class RpcClient implements Disposable {
  readonly address: string;
  #client: Client;
  readonly #protocol: Protocol;
  readonly #membership: Membership;
  readonly #channel: ConnectionOptions["channel"];
  readonly #carried = new CarriedCalls(() => this.bidiStream(Calls.method.carry));

  constructor(address: string, { protocol = PROTOCOL, membership = ownMembership(), channel }: ConnectionOptions = {}) {
    this.address = address;
    this.#protocol = protocol;
    this.#membership = membership;
    this.#channel = channel;
    this.#client = this.#connect();
  }

  #connect(): Client {
    const channel = this.#channel?.(this.address);
    const { certificates } = this.#membership;
    return new Client(this.address, certificates?.forChannels ?? credentials.createInsecure(), {
      ...channelOptions,
      ...(channel && { channelOverride: channel }),
      // TLS names a server, and an address is no name.
      ...(certificates?.name !== undefined && { "grpc.ssl_target_name_override": certificates.name }),
    });
  }

  /** The name may lead elsewhere by now: an address that does not even refuse would be tried for minutes. */
  #connectAnew(): void {
    if (this.#client.getChannel().getConnectivityState(false) !== connectivityState.CONNECTING) return;
    this.#carried[Symbol.dispose]();
    this.#client.close();
    this.#client = this.#connect();
  }

  /** Ends a call when the signal aborts, and has its caller told why. Returns what ends this care once the call is over. */
  #endBy(signal: AbortSignal, call: { cancel(): void }, reject: (reason: unknown) => void): () => void {
    const end = () => {
      const { reason } = signal;
      reject(reason);
      call.cancel();
      if (reason instanceof DroverError && reason.code === "deadline_exceeded") this.#connectAnew();
    };
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    return () => signal.removeEventListener("abort", end);
  }

  /** One request, one reply. Errors: the peer's DroverError, `unavailable` when it cannot be reached; the signal's reason. */
  unary<M extends DescMethodUnary>(
    method: M,
    request: MessageShape<M["input"]>,
    signal: AbortSignal,
    trace?: TraceContext,
  ): Promise<MessageShape<M["output"]>> {
    const { input, output, path } = this.#method(method);
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const call = this.#client.makeUnaryRequest(
        path,
        input.serialize,
        output.deserialize,
        request,
        this.#metadata(path, trace),
        ONE_REQUEST,
        (error, reply) => {
          leave();
          if (error) reject(faultOf(error));
          else resolve(reply as MessageShape<M["output"]>);
        },
      );
      const leave = this.#endBy(signal, call, reject);
    });
  }

  /** As {@link unary}, for a call that is made many times a second: over a stream that is kept open for them, where the peer has one. */
  async carried<M extends DescMethodUnary>(
    method: M,
    request: MessageShape<M["input"]>,
    signal: AbortSignal,
    trace?: TraceContext,
  ): Promise<MessageShape<M["output"]>> {
    const { input, output, path } = this.#method(method);
    // What stands for the network in a test has its own way for calls.
    if (this.#channel !== undefined) return this.unary(method, request, signal, trace);
    const reply = await this.#carried.carry(path, input.serialize(request), signal, trace);
    if (reply === undefined) return this.unary(method, request, signal, trace);
    const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength);
    return output.deserialize(bytes) as MessageShape<M["output"]>;
  }

  serverStream<M extends DescMethodServerStreaming>(
    method: M,
    request: MessageShape<M["input"]>,
    trace?: TraceContext,
  ): ClientReadableStream<MessageShape<M["output"]>> {
    const { input, output, path } = this.#method(method);
    return this.#client.makeServerStreamRequest(
      path,
      input.serialize,
      output.deserialize,
      request,
      this.#metadata(path, trace),
      ONE_REQUEST,
    ) as ClientReadableStream<MessageShape<M["output"]>>;
  }

  /** The caller writes and ends the call; the reply may come before that. Errors: as {@link unary}, through `reply`. */
  clientStream<M extends DescMethodClientStreaming>(
    method: M,
    signal: AbortSignal,
    trace?: TraceContext,
  ): Readonly<{ call: ClientWritableStream<MessageShape<M["input"]>>; reply: Promise<MessageShape<M["output"]>> }> {
    const { input, output, path } = this.#method(method);
    const replied = Promise.withResolvers<MessageShape<M["output"]>>();
    const answered = (error: ServiceError | null, reply?: unknown) => {
      leave();
      if (error) replied.reject(faultOf(error));
      else replied.resolve(reply as MessageShape<M["output"]>);
    };
    const { serialize } = input;
    const call = this.#client.makeClientStreamRequest(
      path,
      serialize,
      output.deserialize,
      this.#metadata(path, trace),
      answered,
    );
    const leave = this.#endBy(signal, call, replied.reject);
    return { call: call as ClientWritableStream<MessageShape<M["input"]>>, reply: replied.promise };
  }

  bidiStream<M extends DescMethodBiDiStreaming>(
    method: M,
  ): ClientDuplexStream<MessageShape<M["input"]>, MessageShape<M["output"]>> {
    const { input, output, path } = this.#method(method);
    return this.#client.makeBidiStreamRequest(
      path,
      input.serialize,
      output.deserialize,
      this.#metadata(path),
    ) as ClientDuplexStream<MessageShape<M["input"]>, MessageShape<M["output"]>>;
  }

  #metadata(path: string, trace?: TraceContext): Metadata {
    return setProof(setProtocol(traceMetadata(trace), this.#protocol), path, this.#membership);
  }

  #method(method: DescMethodUnary | DescMethodServerStreaming | DescMethodClientStreaming | DescMethodBiDiStreaming) {
    return {
      input: codecOf(method.input),
      output: codecOf(method.output),
      path: `/${method.parent.typeName}/${method.name}`,
    };
  }

  [Symbol.dispose](): void {
    this.#carried[Symbol.dispose]();
    this.#client.close();
  }
}

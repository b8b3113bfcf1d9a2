import type {
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageShape,
} from "@bufbuild/protobuf";
import type { TraceContext } from "@drover/core";
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  connectivityState,
  credentials,
  type Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { fromServiceError } from "./errors.ts";
import { PROTOCOL, type Protocol, setProtocol } from "./protocol.ts";
import { type MessageCodec, messageCodec } from "./service.ts";
import { channelOptions } from "./settings.ts";
import { traceMetadata } from "./trace-metadata.ts";

type Codecs = Readonly<Record<string, MessageCodec<unknown>>>;

const connect = (address: string) => new Client(address, credentials.createInsecure(), channelOptions);

/** One connection to a peer, for any service that it serves. */
export class RpcClient implements Disposable {
  readonly address: string;
  #client: Client;
  readonly #codecs: Codecs;

  readonly #protocol: Protocol;

  constructor(address: string, codecs: Codecs = {}, protocol: Protocol = PROTOCOL) {
    this.address = address;
    this.#protocol = protocol;
    this.#codecs = codecs;
    this.#client = connect(address);
  }

  /** The name may lead elsewhere by now: an address that does not even refuse would be tried for minutes. */
  #connectAnew(): void {
    if (this.#client.getChannel().getConnectivityState(false) !== connectivityState.CONNECTING) return;
    this.#client.close();
    this.#client = connect(this.address);
  }

  /** One request, one reply. Errors: the peer's DroverError, `unavailable` when it cannot be reached, `cancelled` when the signal aborts. */
  unary<M extends DescMethodUnary>(
    method: M,
    request: MessageShape<M["input"]>,
    signal: AbortSignal,
    deadlineMs?: number,
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
        this.#metadata(trace),
        deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
        (error, reply) => {
          signal.removeEventListener("abort", cancel);
          if (error?.code === status.DEADLINE_EXCEEDED) this.#connectAnew();
          if (error) reject(fromServiceError(error));
          else resolve(reply as MessageShape<M["output"]>);
        },
      );
      const cancel = () => call.cancel();
      signal.addEventListener("abort", cancel, { once: true });
    });
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
      this.#metadata(trace),
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
      signal.removeEventListener("abort", cancel);
      if (error) replied.reject(fromServiceError(error));
      else replied.resolve(reply as MessageShape<M["output"]>);
    };
    const { serialize } = input;
    const call = this.#client.makeClientStreamRequest(
      path,
      serialize,
      output.deserialize,
      this.#metadata(trace),
      answered,
    );
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
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
      this.#metadata(),
    ) as ClientDuplexStream<MessageShape<M["input"]>, MessageShape<M["output"]>>;
  }

  #metadata(trace?: TraceContext): Metadata {
    return setProtocol(traceMetadata(trace), this.#protocol);
  }

  #method(method: DescMethodUnary | DescMethodServerStreaming | DescMethodClientStreaming | DescMethodBiDiStreaming) {
    return {
      input: this.#codecs[method.input.typeName] ?? (messageCodec(method.input) as MessageCodec<unknown>),
      output: this.#codecs[method.output.typeName] ?? (messageCodec(method.output) as MessageCodec<unknown>),
      path: `/${method.parent.typeName}/${method.name}`,
    };
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

import type {
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodStreaming,
  MessageShape,
} from "@bufbuild/protobuf";
import { DroverError } from "@drover/core";
import type { RpcClient } from "./client.ts";
import { grpcNetwork, type Network } from "./network.ts";

/** One streaming call to a peer, as its caller holds it. */
export interface StreamCall<Request> {
  /** Sends a message. False when the call has more to send than the peer takes: `onDrain` follows. */
  write(request: Request): boolean;
  /** Ends the call and its connection. Nothing is told of it afterwards. */
  cancel(): void;
}

/** What is told of a streaming call; nothing of it from within the call that opens it. */
export interface StreamListener<Reply> {
  /** The peer has the call. */
  onHeaders(): void;
  onMessage(reply: Reply): void;
  /** What was written has left. */
  onDrain(): void;
  /** The call is over, and why. Told once, and nothing after it. */
  onEnd(reason: string): void;
}

/** Calls a peer: over gRPC, or over whatever else stands for the network. */
export type OpenStream<Request, Reply> = (address: string, listener: StreamListener<Reply>) => StreamCall<Request>;

/** Messages in both directions, over gRPC. */
export function bidiStreamOf<M extends DescMethodBiDiStreaming>(
  method: M,
  network: Network = grpcNetwork,
): OpenStream<MessageShape<M["input"]>, MessageShape<M["output"]>> {
  return (address, listener) => {
    // A connection of its own for each call: the name may lead elsewhere by now.
    const client = network.dial(address);
    const stream = client.bidiStream(method);
    const cancel = listen(stream, client, listener);
    return { write: (request) => stream.write(request), cancel };
  };
}

/** One request and the replies to it, over gRPC: nothing can be written. */
export function serverStreamOf<M extends DescMethodServerStreaming>(
  method: M,
  request: MessageShape<M["input"]>,
  network: Network = grpcNetwork,
): OpenStream<never, MessageShape<M["output"]>> {
  return (address, listener) => {
    const client = network.dial(address);
    const cancel = listen(client.serverStream(method, request), client, listener);
    return { write: () => false, cancel };
  };
}

/** The same calls in values of the caller's own. A reply that cannot be read, which is a DroverError, ends the call. */
export function translated<Request, Reply, RequestMessage, ReplyMessage>(
  open: OpenStream<RequestMessage, ReplyMessage>,
  write: (request: Request) => RequestMessage,
  read: (message: ReplyMessage) => Reply,
): OpenStream<Request, Reply> {
  return (address, listener) => {
    const onMessage = (message: ReplyMessage) => {
      let reply: Reply;
      try {
        reply = read(message);
      } catch (error) {
        if (!(error instanceof DroverError)) throw error;
        call.cancel();
        listener.onEnd(error.sentence);
        return;
      }
      listener.onMessage(reply);
    };
    const call = open(address, {
      onHeaders: () => listener.onHeaders(),
      onMessage,
      onDrain: () => listener.onDrain(),
      onEnd: (reason) => listener.onEnd(reason),
    });
    return { write: (request) => call.write(write(request)), cancel: () => call.cancel() };
  };
}

type Events<Reply> = Readonly<{
  on(event: "metadata" | "drain" | "end" | "close", handle: () => void): unknown;
  on(event: "data", handle: (reply: Reply) => void): unknown;
  on(event: "error", handle: (error: Error) => void): unknown;
  cancel(): void;
}>;

/** Hears a call of grpc-js out. Returns what ends it. */
function listen<M extends DescMethodStreaming>(
  stream: Events<MessageShape<M["output"]>>,
  client: RpcClient,
  listener: StreamListener<MessageShape<M["output"]>>,
): () => void {
  let isOver = false;
  const cancel = () => {
    if (isOver) return;
    isOver = true;
    stream.cancel();
    client[Symbol.dispose]();
  };
  const end = (reason: string) => {
    if (isOver) return;
    cancel();
    listener.onEnd(reason);
  };
  const unlessOver = (tell: () => void) => () => {
    if (!isOver) tell();
  };
  stream.on(
    "metadata",
    unlessOver(() => listener.onHeaders()),
  );
  stream.on(
    "drain",
    unlessOver(() => listener.onDrain()),
  );
  stream.on("data", (reply) => {
    if (!isOver) listener.onMessage(reply);
  });
  stream.on("error", (error) => end(error.message));
  stream.on("end", () => end("the peer has ended the stream"));
  stream.on("close", () => end("closed"));
  return cancel;
}

import { Metadata, type ServerInterceptingCall } from "@grpc/grpc-js";
import { digestOf } from "./event-log.ts";
import type { Frame } from "./sim-connection.ts";

/** What grpc-js's server knows of a method. */
export type Handler = Readonly<{
  path: string;
  type: "unary" | "clientStream" | "serverStream" | "bidi";
  deserialize: (bytes: Buffer) => unknown;
  serialize: (message: unknown) => Buffer;
}>;

/** A call as grpc-js's server code sees it, and its interceptors. */
export type ServerCall = Pick<
  ServerInterceptingCall,
  | "start"
  | "sendMetadata"
  | "sendMessage"
  | "sendStatus"
  | "startRead"
  | "getPeer"
  | "getDeadline"
  | "getHost"
  | "getAuthContext"
  | "getConnectionInfo"
  | "getMetricsRecorder"
>;
type Listener = Parameters<ServerInterceptingCall["start"]>[0];
type PartialStatus = Parameters<ServerInterceptingCall["sendStatus"]>[0];

/** What the caller hears. */
export type Replies = Readonly<{
  metadata: (metadata: Metadata) => void;
  message: (bytes: Buffer) => void;
  status: (ended: Readonly<{ code: number; details: string; metadata: Metadata }>) => void;
}>;

export type ServedCallOptions = Readonly<{
  path: string;
  metadata: Metadata;
  /** Undefined: nobody serves the method. */
  handler: Handler | undefined;
  replies: Replies;
  send: (frame: Frame, onLeft?: () => void) => void;
  serve: (call: ServedCall) => void;
  over: (call: ServedCall) => void;
}>;

/** The served half of a call: reads and writes messages as bytes. Source: `BaseServerInterceptingCall` of grpc-js 1.14.7. */
export class ServedCall implements ServerCall {
  readonly #options: ServedCallOptions;
  #listener: Listener | undefined;
  readonly #unread: Buffer[] = [];
  #readCount = 0;
  #isHalfClosed = false;
  #isHalfCloseTold = false;
  #isMetadataSent = false;
  #isOver = false;

  constructor(options: ServedCallOptions) {
    this.#options = options;
  }

  /** Its headers have arrived. */
  begin(): void {
    this.#options.serve(this);
  }

  message(bytes: Buffer): void {
    this.#unread.push(bytes);
    this.#deliver();
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#deliver();
  }

  /** Its caller has left, or cannot be reached any more. */
  cancel(): void {
    if (this.#isOver) return;
    this.#end();
  }

  start(listener: Listener): void {
    this.#listener = listener;
    listener.onReceiveMetadata(this.#options.metadata);
  }

  startRead(): void {
    this.#readCount += 1;
    this.#deliver();
  }

  sendMetadata(metadata: Metadata): void {
    if (this.#isOver || this.#isMetadataSent) return;
    this.#isMetadataSent = true;
    const sent = metadata.clone();
    const { replies, path, send } = this.#options;
    send({ what: `${path} has begun`, receive: () => replies.metadata(sent) });
  }

  sendMessage(message: unknown, onSent: () => void): void {
    const { handler, replies, path, send } = this.#options;
    if (this.#isOver || handler === undefined) return;
    this.sendMetadata(new Metadata());
    const bytes = Buffer.from(handler.serialize(message));
    send({ what: `${path} > ${bytes.length} ${digestOf(bytes)}`, receive: () => replies.message(bytes) }, onSent);
  }

  sendStatus({ code, details, metadata }: PartialStatus): void {
    if (this.#isOver) return;
    const { replies, path, send } = this.#options;
    const sent = metadata?.clone() ?? new Metadata();
    send({ what: `${path} ends with ${code}`, receive: () => replies.status({ code, details, metadata: sent }) });
    this.#end();
  }

  getPeer(): string {
    return "simulated";
  }

  getDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  getHost(): string {
    return "simulated";
  }

  getAuthContext(): ReturnType<ServerCall["getAuthContext"]> {
    return {};
  }

  getConnectionInfo(): ReturnType<ServerCall["getConnectionInfo"]> {
    return {};
  }

  getMetricsRecorder(): never {
    throw new Error("a simulated call records no metrics");
  }

  /** A message for each read, and the caller's last word behind them. */
  #deliver(): void {
    while (this.#readCount > 0 && !this.#isOver) {
      const bytes = this.#unread.shift();
      if (bytes === undefined) break;
      this.#readCount -= 1;
      this.#listener?.onReceiveMessage(this.#options.handler?.deserialize(bytes));
    }
    if (this.#readCount === 0 || this.#unread.length > 0 || !this.#isHalfClosed) return;
    if (this.#isHalfCloseTold || this.#isOver) return;
    this.#isHalfCloseTold = true;
    this.#listener?.onReceiveHalfClose();
  }

  /** As grpc-js does, also where the call has ended in order: what it was for is over. */
  #end(): void {
    this.#isOver = true;
    this.#options.over(this);
    process.nextTick(() => this.#listener?.onCancel());
  }
}

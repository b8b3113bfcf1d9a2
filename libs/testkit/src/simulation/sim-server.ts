import { createServer, type PeerIdentity } from "@drover/rpc";
import { type Metadata, type Server, status } from "@grpc/grpc-js";
import type { End, SimConnection } from "./sim-connection.ts";
import type { SimProcess } from "./sim-process.ts";
import { type Handler, type Replies, ServedCall, type ServerCall } from "./sim-server-call.ts";

/** Who is told that a server answers at its address. */
type Listeners = Readonly<{ listen(server: SimServer): void }>;

type Interceptor = (method: unknown, call: ServerCall) => ServerCall;

/** grpc-js's own server, as it is behind its HTTP/2: what it keeps to itself. Source: `Server` of grpc-js 1.14.7, whose version is pinned. */
type Inside = Readonly<{
  handlers: ReadonlyMap<string, Handler>;
  interceptors: readonly Interceptor[];
  _runHandlerForCall(call: ServerCall, handler: Handler): boolean;
}>;

/**
 * A server that a simulated network reaches: grpc-js's own, with Drover's checks, its interceptors and its handlers. Only what carries the
 * bytes is another.
 */
export class SimServer {
  readonly address: string;
  readonly process: SimProcess;
  /** Takes services, as any server does. */
  readonly server: Server;
  readonly #calls = new Map<SimConnection, Set<ServedCall>>();
  #isShut = false;

  constructor(network: Listeners, process: SimProcess, address: string, identity: PeerIdentity = {}) {
    this.address = address;
    this.process = process;
    this.server = createServer(identity);
    network.listen(this);
  }

  /** Calls that are under way. */
  get callCount(): number {
    let count = 0;
    for (const calls of this.#calls.values()) count += calls.size;
    return count;
  }

  /** Whether the method takes one message and gives one, so that a call of it may come twice. */
  isUnary(path: string): boolean {
    return (this.server as unknown as Inside).handlers.get(path)?.type === "unary";
  }

  /** A call that was made on a connection; it begins once its headers arrive. */
  call(path: string, metadata: Metadata, connection: SimConnection, replies: Replies): ServedCall {
    const inside = this.server as unknown as Inside;
    const handler = inside.handlers.get(path);
    const end: End = connection.server;
    const calls = this.#calls.get(connection) ?? new Set();
    this.#calls.set(connection, calls);
    const call = new ServedCall({
      path,
      metadata: metadata.clone(),
      handler,
      replies,
      send: (frame, onLeft) => connection.send(end, frame, onLeft),
      serve: (served) => {
        if (handler === undefined || this.#isShut) {
          served.sendStatus({ code: status.UNIMPLEMENTED, details: `nobody serves ${path}`, metadata: null });
          return;
        }
        calls.add(served);
        const method = {
          path,
          requestStream: handler.type === "clientStream" || handler.type === "bidi",
          responseStream: handler.type === "serverStream" || handler.type === "bidi",
          requestDeserialize: handler.deserialize,
          responseSerialize: handler.serialize,
        };
        const guarded = inside.interceptors.reduce<ServerCall>((inner, guard) => guard(method, inner), served);
        inside._runHandlerForCall(guarded, handler);
      },
      over: (served) => void calls.delete(served),
    });
    return call;
  }

  /** The connection is gone, and with it its calls. */
  lost(connection: SimConnection, _reason: string): void {
    for (const call of this.#calls.get(connection) ?? []) call.cancel();
    this.#calls.delete(connection);
  }

  /** Nothing new is served, and what runs is cut off. */
  shutDown(): void {
    this.#isShut = true;
    for (const connection of [...this.#calls.keys()]) connection.breakAt(connection.server, "the server has ended");
  }
}

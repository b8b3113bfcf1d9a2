import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type Server as Listener, type Socket } from "node:net";
import { assert, type Clock, DroverError, type Logger } from "@drover/core";
import { type Certificates, shutDown } from "@drover/rpc";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { CONNECTIONS_FULL_SAID_MS, GRPC_ADDRESS_PART_MAX, HEADERS_MS_MAX, HTTP2_PREFACE_BYTES } from "../limits.ts";

export type GrpcDoorOptions = Readonly<{
  host: string;
  /** Both, as errors name them. */
  named: string;
  /** 0: any free one. */
  port: number;
  /** Connections at once; of one address, `GRPC_ADDRESS_PART_MAX` of it. */
  connectionsMax: number;
  /** Without, it speaks no TLS. */
  certificates: Certificates | undefined;
  clock: Clock;
  logger: Logger;
}>;

/**
 * Where a gRPC server's connections come in. They are counted before anything of them is read: grpc-js has no limit of its own. One that is too many is
 * closed without a word, and one that says nothing is closed after a while.
 */
export class GrpcDoor {
  readonly port: number;
  readonly #server: Server;
  readonly #listeners: readonly Listener[];
  readonly #injector: Injector;

  private constructor(server: Server, listeners: readonly Listener[], injector: Injector) {
    this.#server = server;
    this.#listeners = listeners;
    this.#injector = injector;
    this.port = portOf(listeners[0]);
  }

  /** Listens on all addresses of the host. Errors: `unavailable` when one is taken. */
  static async open(server: Server, options: GrpcDoorOptions): Promise<GrpcDoor> {
    const injector = server.createConnectionInjector(
      options.certificates?.forServers ?? ServerCredentials.createInsecure(),
    );
    const places = new ConnectionPlaces(options);
    const listeners: Listener[] = [];
    try {
      for (const { address } of await lookup(options.host, { all: true })) {
        const listener = createServer({ noDelay: true }, (socket) => {
          if (places.take(socket)) injector.injectConnection(socket);
        });
        listener.listen({ host: address, port: listeners.length === 0 ? options.port : portOf(listeners[0]) });
        await once(listener, "listening");
        listeners.push(listener);
      }
    } catch (cause) {
      for (const listener of listeners) listener.close();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new DroverError("unavailable", `cannot listen on ${options.named}: ${reason}`, { cause });
    }
    return new GrpcDoor(server, listeners, injector);
  }

  /** Clients are told to connect elsewhere; what runs goes on for so long. New connections are taken still, and answered. */
  drain(graceMs: number): void {
    this.#injector.drain(graceMs);
  }

  /** Takes nothing more, and ends each connection when its calls are over; what is not over in time is cut off. */
  async close(msMax: number): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await shutDown(this.#server, msMax);
  }
}

type Injector = ReturnType<Server["createConnectionInjector"]>;

function portOf(listener: Listener | undefined): number {
  const address = listener?.address();
  assert(typeof address === "object" && address !== null, "a host has an address, and what listens there a port");
  return address.port;
}

/** The connections that are there, of each address. */
class ConnectionPlaces {
  readonly #options: GrpcDoorOptions;
  readonly #byAddress = new Map<string, number>();
  #count = 0;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: GrpcDoorOptions) {
    this.#options = options;
  }

  /** False for one too many, which is closed. */
  take(socket: Socket): boolean {
    const { connectionsMax } = this.#options;
    const address = socket.remoteAddress ?? "";
    const ofAddress = this.#byAddress.get(address) ?? 0;
    if (this.#count >= connectionsMax || ofAddress >= Math.ceil(connectionsMax * GRPC_ADDRESS_PART_MAX)) {
      socket.destroy();
      this.#sayFull();
      return false;
    }
    this.#count += 1;
    this.#byAddress.set(address, ofAddress + 1);
    const silent = setTimeout(() => {
      if (socket.bytesRead < HTTP2_PREFACE_BYTES) socket.destroy();
    }, HEADERS_MS_MAX);
    socket.once("close", () => {
      clearTimeout(silent);
      this.#leave(address);
    });
    return true;
  }

  #leave(address: string): void {
    this.#count -= 1;
    const left = (this.#byAddress.get(address) ?? 0) - 1;
    if (left <= 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, left);
  }

  #sayFull(): void {
    const { clock, logger, connectionsMax } = this.#options;
    if (clock.monotonic() - this.#saidAtMs < CONNECTIONS_FULL_SAID_MS) return;
    this.#saidAtMs = clock.monotonic();
    logger.warn("grpc.connections_full", { connectionsMax });
  }
}

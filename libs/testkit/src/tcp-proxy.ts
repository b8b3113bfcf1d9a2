import { connect, createServer, type Server, type Socket } from "node:net";

/** What a proxy does with what comes, in each direction. */
export type ProxyMode = "passes" | "swallows-requests" | "swallows-replies";

/** A name on loopback: its new connections go where it points now, and those that stand stay where they are. */
export class TcpProxy implements AsyncDisposable {
  /** Where new connections go. */
  target: number;
  /** Of all connections, also those that stand. One that has swallowed something never passes that direction again, as TCP would not. */
  mode: ProxyMode = "passes";
  /** How much later each request arrives. */
  delayMs = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async listen(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy does not listen");
    return address.port;
  }

  /** Connections that stand. */
  get connectionCount(): number {
    return this.#sockets.size / 2;
  }

  #serve(client: Socket): void {
    const server = connect(this.target, "127.0.0.1");
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    const cut = { requests: false, replies: false };
    client.on("data", (chunk) => {
      cut.requests ||= this.mode === "swallows-requests";
      if (cut.requests) return;
      if (this.delayMs === 0) server.write(chunk);
      else setTimeout(() => server.writable && server.write(chunk), this.delayMs);
    });
    server.on("data", (chunk) => {
      cut.replies ||= this.mode === "swallows-replies";
      if (!cut.replies) client.write(chunk);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

import { createConnection, type IpcNetConnectOpts, type Socket, type TcpNetConnectOpts } from "node:net";
import { type ConnectionOptions, connect as connectSecurely } from "node:tls";
import { DroverError } from "@drover/core";
import { AbstractConnector } from "ioredis";

/** Where ioredis wants a connection to, out of the options that it has read. */
export type Target = Readonly<{
  host?: string;
  port?: number;
  family?: number;
  path?: string;
  tls?: ConnectionOptions;
  disconnectTimeout: number;
}>;

/**
 * Connects to a primary, and to nothing else: a server that says that it is a replica is left, and the name looked up again at the next try.
 * ioredis's own connector would take one, since only its Sentinel mode looks at the role.
 */
export class PrimaryConnector extends AbstractConnector {
  readonly #target: Target;
  readonly #onReplica: () => void;

  /** `onReplica` is told of each replica that was left. */
  constructor(target: Target, onReplica: () => void) {
    super(target.disconnectTimeout);
    this.#target = target;
    this.#onReplica = onReplica;
  }

  /** Whether the server that answers is used, by its INFO; one that does not tell is. */
  override check({ role }: Readonly<{ role?: string }>): boolean {
    if (role !== "slave") return true;
    this.#onReplica();
    return false;
  }

  async connect(): Promise<Socket> {
    const { host = "localhost", port, family, path, tls } = this.#target;
    this.connecting = true;
    const to = path === undefined ? { host, port, family } : { path };
    // ioredis expects it no sooner than in the next turn.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    if (!this.connecting) throw new DroverError("cancelled", "the connection was closed");
    const socket =
      tls === undefined
        ? createConnection(to as TcpNetConnectOpts | IpcNetConnectOpts)
        : connectSecurely({ ...to, ...tls } as ConnectionOptions);
    socket.once("error", (error) => {
      this.firstError = error;
    });
    this.stream = socket;
    return socket;
  }
}

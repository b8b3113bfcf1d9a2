import { type End, type Frame, SimConnection, type Ways } from "./sim-connection.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimServer } from "./sim-server.ts";

/** What a channel asks of its network. Undefined: nobody listens there. */
export type Reach = Ways & Readonly<{ serverAt(address: string): SimServer | undefined }>;

/** A connection is tried for so long. */
const CONNECT_MS_MAX = 20_000;

/** A call that comes twice comes again within this time. */
const REPEAT_MS_MAX = 2000;

/** One connection, from the first try on. */
export class Link {
  isUp = false;
  server: SimServer | undefined;
  readonly #end: End;
  readonly #waiting: (() => void)[] = [];
  readonly #network: Reach;
  #connection: SimConnection | undefined;

  constructor(network: Reach, process: SimProcess, address: string, broken: (reason: string) => void) {
    this.#network = network;
    this.#end = { process, broken };
    const server = network.serverAt(address);
    if (server === undefined) {
      process.after(network.latencyMs(process.name, process.name), `${process.name} is refused at ${address}`, () =>
        broken(`nobody listens at ${address}`),
      );
      return;
    }
    this.server = server;
    const served: End = { process: server.process, broken: (reason) => server.lost(connection, reason) };
    const connection = new SimConnection(network, this.#end, served);
    this.#connection = connection;
    const accepted = { what: `${process.name} has ${address}`, receive: () => this.#up() };
    const asks = { what: `${process.name} connects to ${address}`, receive: () => connection.send(served, accepted) };
    connection.send(this.#end, asks);
    process.after(CONNECT_MS_MAX, "", () => {
      if (!this.isUp) connection.breakAt(this.#end, "the peer does not answer");
    });
  }

  get connection(): SimConnection | undefined {
    return this.#connection;
  }

  get name(): string {
    return this.#end.process.name;
  }

  /** Once the connection stands. */
  whenUp(then: () => void): void {
    if (this.isUp) then();
    else this.#waiting.push(then);
  }

  send(frame: Frame, onLeft?: () => void): void {
    this.#connection?.send(this.#end, frame, onLeft);
  }

  /** Has something happen later to a process whose calls come twice now. */
  afterRepeat(happen: (process: SimProcess) => void): void {
    const { process } = this.#end;
    const network = this.#network;
    if (this.server === undefined || !network.isRepeated(process.name, this.server.process.name)) return;
    process.after(network.chance() * REPEAT_MS_MAX, "", () => {
      if (this.isUp) happen(process);
    });
  }

  close(): void {
    this.#connection?.breakAt(this.#end, "closed");
  }

  #up(): void {
    this.isUp = true;
    for (const then of this.#waiting.splice(0)) then();
  }
}

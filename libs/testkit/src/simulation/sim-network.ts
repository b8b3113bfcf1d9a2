import type { Network } from "@drover/rpc";
import { RpcClient } from "@drover/rpc";
import { SimChannel } from "./sim-channel.ts";
import type { SimConnection } from "./sim-connection.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimServer } from "./sim-server.ts";
import type { SimWorld } from "./sim-world.ts";

/** How long messages take on a way that is well: most about the least, few about the most. */
export type Latency = Readonly<{ leastMs: number; mostMs: number }>;

/**
 * The network of a simulated world: connections between processes, that carry gRPC's calls as bytes. Its ways can be cut in one direction or
 * both, made slow, and its connections broken.
 */
export class SimNetwork {
  readonly world: SimWorld;
  readonly chance: () => number;
  readonly #latency: Latency;
  readonly #servers = new Map<string, SimServer>();
  readonly #connections = new Set<SimConnection>();
  readonly #cuts = new Map<string, symbol>();
  readonly #slow = new Map<string, number>();
  readonly #repeats = new Set<string>();

  constructor(world: SimWorld, latency: Latency) {
    this.world = world;
    this.chance = world.chance("network");
    this.#latency = latency;
  }

  /** The network as one process reaches its peers by it. */
  of(process: SimProcess): Network {
    return {
      dial: (address) => new RpcClient(address, { channel: (to) => new SimChannel(this, process, to) }),
      chance: () => process.chance(),
    };
  }

  /** Who answers at the address from now on. */
  listen(server: SimServer): void {
    this.#servers.set(server.address, server);
  }

  /** Undefined: nobody, and a call is refused. */
  serverAt(address: string): SimServer | undefined {
    const server = this.#servers.get(address);
    return server?.process.isGone === true ? undefined : server;
  }

  /** From one machine to the other, of this message. */
  latencyMs(from: string, to: string): number {
    const { leastMs, mostMs } = this.#latency;
    const drawn = leastMs + (mostMs - leastMs) * this.chance() ** 3;
    return drawn * (this.#slow.get(wayOf(from, to)) ?? 1);
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(wayOf(from, to));
  }

  /** Nothing that is sent from one machine to the other arrives until that is healed. */
  cut(from: string, to: string): void {
    const mark = Symbol();
    this.#cuts.set(wayOf(from, to), mark);
    for (const connection of this.#between(from, to)) connection.doubt(() => this.#cuts.get(wayOf(from, to)) === mark);
  }

  heal(from: string, to: string): void {
    this.#cuts.delete(wayOf(from, to));
    for (const connection of this.#between(from, to)) connection.heal();
  }

  /** Messages from one machine to the other take so many times as long; 1: as long as others. */
  slow(from: string, to: string, times: number): void {
    if (times === 1) this.#slow.delete(wayOf(from, to));
    else this.#slow.set(wayOf(from, to), times);
  }

  /** Whether what is called once from one machine to the other is called once more, some time later, and nobody hears what comes of that. */
  repeat(from: string, to: string, isRepeated: boolean): void {
    if (isRepeated) this.#repeats.add(wayOf(from, to));
    else this.#repeats.delete(wayOf(from, to));
  }

  isRepeated(from: string, to: string): boolean {
    return this.#repeats.size > 0 && this.#repeats.has(wayOf(from, to));
  }

  /** Breaks what two machines have open: what is under way is lost. */
  reset(one: string, other: string): void {
    for (const connection of [...this.#between(one, other)]) connection.reset("the connection was reset");
  }

  /** A process stands still: who waits for its pings leaves it after a while, unless it goes on. */
  doubt(process: SimProcess): void {
    for (const connection of this.#connections) if (isOf(connection, process)) connection.doubt(() => process.isPaused);
  }

  /** A process was killed: its machine says so to its peers. */
  drop(process: SimProcess): void {
    for (const connection of [...this.#connections])
      if (isOf(connection, process)) connection.died(process, "the peer has gone");
  }

  /** For connections. */
  opened(connection: SimConnection): void {
    this.#connections.add(connection);
  }

  closed(connection: SimConnection): void {
    this.#connections.delete(connection);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  *#between(one: string, other: string): Iterable<SimConnection> {
    for (const connection of [...this.#connections]) {
      const names = [connection.client.process.name, connection.server.process.name];
      if (names.includes(one) && names.includes(other)) yield connection;
    }
  }
}

const wayOf = (from: string, to: string): string => `${from}>${to}`;

function isOf({ client, server }: SimConnection, process: SimProcess): boolean {
  return client.process === process || server.process === process;
}

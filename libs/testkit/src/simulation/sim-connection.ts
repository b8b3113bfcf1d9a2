import type { SimProcess } from "./sim-process.ts";
import type { SimTime } from "./sim-time.ts";

/** What a connection asks of its network, whose machines have names. */
export interface Ways {
  readonly world: SimTime;
  readonly chance: () => number;
  /** Nothing gets from one machine to the other now. */
  isCut(from: string, to: string): boolean;
  /** What this message takes. */
  latencyMs(from: string, to: string): number;
  opened(connection: SimConnection): void;
  closed(connection: SimConnection): void;
}

/** What one end of a connection sends to the other. */
export type Frame = Readonly<{ what: string; receive: () => void }>;

/** One end: the process that it is of, and what it is told when the connection is broken. */
export type End = Readonly<{ process: SimProcess; broken: (reason: string) => void }>;

type Pipe = { readonly from: End; readonly to: End; readyMs: number; waiting: Waiting[]; isBroken: boolean };
type Waiting = Readonly<{ frame: Frame; onLeft: (() => void) | undefined }>;

/** How long a connection whose other end does not answer is kept: gRPC's keepalive, 10 s, and its timeout, 5 s. */
const KEEPALIVE_MS = 15_000;

/**
 * A connection between two processes, as TCP is one: what is sent arrives in order or not at all, is late where the way is cut, and the
 * connection breaks where that lasts.
 */
export class SimConnection {
  readonly client: End;
  readonly server: End;
  readonly #network: Ways;
  readonly #there: Pipe;
  readonly #back: Pipe;

  constructor(network: Ways, client: End, server: End) {
    this.client = client;
    this.server = server;
    this.#network = network;
    this.#there = { from: client, to: server, readyMs: 0, waiting: [], isBroken: false };
    this.#back = { from: server, to: client, readyMs: 0, waiting: [], isBroken: false };
    network.opened(this);
  }

  get isBroken(): boolean {
    return this.#there.isBroken && this.#back.isBroken;
  }

  /** Sends from one end to the other. `onLeft`: told in the sender once the way takes it. */
  send(from: End, frame: Frame, onLeft?: () => void): void {
    const pipe = from === this.client ? this.#there : this.#back;
    if (pipe.isBroken || from.process.isGone) return;
    if (pipe.waiting.length > 0 || this.#network.isCut(pipe.from.process.name, pipe.to.process.name)) {
      pipe.waiting.push({ frame, onLeft });
      return;
    }
    this.#carry(pipe, frame);
    if (onLeft !== undefined) process.nextTick(onLeft);
  }

  #carry(pipe: Pipe, frame: Frame): void {
    const world = this.#network.world;
    const latencyMs = this.#network.latencyMs(pipe.from.process.name, pipe.to.process.name);
    // A hair later than what was sent before it: what comes at once comes in order.
    pipe.readyMs = Math.max(pipe.readyMs, world.nowMs + latencyMs);
    world.after(pipe.readyMs - world.nowMs, pipe.to.process, frame.what, () => {
      if (!pipe.isBroken) frame.receive();
    });
  }

  /** The way may be open again: what waited goes on. */
  heal(): void {
    for (const pipe of [this.#there, this.#back]) {
      if (pipe.isBroken || this.#network.isCut(pipe.from.process.name, pipe.to.process.name)) continue;
      for (const { frame, onLeft } of pipe.waiting.splice(0)) {
        this.#carry(pipe, frame);
        if (onLeft !== undefined) pipe.from.process.after(0, "", onLeft);
      }
    }
  }

  /** An end that hears nothing breaks the connection after a while, unless `isStillSilent` says that it has heard something again. */
  doubt(isStillSilent: () => boolean): void {
    for (const end of [this.client, this.server]) {
      const inMs = KEEPALIVE_MS * (2 / 3 + this.#network.chance() / 3);
      end.process.after(inMs, "", () => {
        if (isStillSilent()) this.breakAt(end, "the peer does not answer pings");
      });
    }
  }

  /** Breaks in a moment, at both ends: what is under way is lost. */
  reset(reason: string): void {
    for (const pipe of [this.#there, this.#back]) {
      pipe.isBroken = true;
      pipe.waiting = [];
    }
    this.#network.closed(this);
    for (const end of [this.client, this.server]) {
      if (end.process.isGone) continue;
      const other = end === this.client ? this.server : this.client;
      const inMs = this.#network.latencyMs(other.process.name, end.process.name);
      end.process.after(inMs, `${end.process.name} loses ${other.process.name}`, () => end.broken(reason));
    }
  }

  /** One end gives the connection up. The other hears of it where the way there is open, and finds out by itself where it is not. */
  breakAt(end: End, reason: string): void {
    const pipe = end === this.client ? this.#there : this.#back;
    if (pipe.isBroken) return;
    const back = pipe === this.#there ? this.#back : this.#there;
    pipe.waiting = [];
    const tell = { what: `${pipe.to.process.name} is left`, receive: () => this.#endAt(pipe.to, reason) };
    if (!this.#network.isCut(pipe.from.process.name, pipe.to.process.name)) this.#carry(pipe, tell);
    // What the other end has sent and this one not read is lost.
    back.isBroken = true;
    end.broken(reason);
  }

  #endAt(end: End, reason: string): void {
    this.#there.isBroken = true;
    this.#back.isBroken = true;
    this.#network.closed(this);
    end.broken(reason);
  }
}

import type { SimProcess } from "./sim-process.ts";
import type { SimTime } from "./sim-time.ts";

/** What a connection asks of its network, whose machines have names. */
export interface Ways {
  readonly world: SimTime;
  readonly chance: () => number;
  /** Nothing gets from one machine to the other now. */
  isCut(from: string, to: string): boolean;
  /** What is called on this way is called twice now. */
  isRepeated(from: string, to: string): boolean;
  /** What this message takes. */
  latencyMs(from: string, to: string): number;
  opened(connection: SimConnection): void;
  closed(connection: SimConnection): void;
}

/** What one end of a connection sends to the other. */
export type Frame = Readonly<{ what: string; receive: () => void }>;

/** One end: the process that it is of, and what it is told when the connection is broken. */
export type End = Readonly<{ process: SimProcess; broken: (reason: string) => void }>;

type Pipe = { readonly from: End; readonly to: End; readyMs: number; waiting: Waiting[] };
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
  /** Ends for which the connection is over. */
  readonly #over = new Set<End>();

  constructor(network: Ways, client: End, server: End) {
    this.client = client;
    this.server = server;
    this.#network = network;
    this.#there = { from: client, to: server, readyMs: 0, waiting: [] };
    this.#back = { from: server, to: client, readyMs: 0, waiting: [] };
    network.opened(this);
  }

  /** Sends from one end to the other. `onLeft`: told in the sender once the way takes it. */
  send(from: End, frame: Frame, onLeft?: () => void): void {
    const pipe = this.#from(from);
    if (this.#over.has(from) || from.process.isGone) return;
    if (pipe.waiting.length > 0 || this.#isCut(pipe)) {
      pipe.waiting.push({ frame, onLeft });
      return;
    }
    this.#carry(pipe, frame);
    if (onLeft !== undefined) process.nextTick(onLeft);
  }

  /** The way may be open again: what waited goes on. */
  heal(): void {
    for (const pipe of [this.#there, this.#back]) {
      if (this.#isCut(pipe)) continue;
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
      pipe.waiting = [];
      if (this.#over.has(pipe.to)) continue;
      this.#over.add(pipe.to);
      const inMs = this.#network.latencyMs(pipe.from.process.name, pipe.to.process.name);
      const what = `${pipe.to.process.name} loses ${pipe.from.process.name}`;
      pipe.to.process.after(inMs, what, () => pipe.to.broken(reason));
    }
    this.#network.closed(this);
  }

  /** The process of one end is gone: what it has sent still arrives, and its machine's last word behind that. */
  died(process: SimProcess, reason: string): void {
    const pipe = process === this.client.process ? this.#there : this.#back;
    const last = this.#lastWord(pipe, reason);
    this.#over.add(pipe.from);
    if (pipe.waiting.length > 0 || this.#isCut(pipe)) pipe.waiting.push({ frame: last, onLeft: undefined });
    else this.#carry(pipe, last);
  }

  /** One end gives the connection up. The other hears of it once the way there is open, or finds out by itself before. */
  breakAt(end: End, reason: string): void {
    if (this.#over.has(end)) return;
    const pipe = this.#from(end);
    const last = this.#lastWord(pipe, reason);
    // What was not sent is lost; the last word is sent again until it arrives.
    pipe.waiting = this.#isCut(pipe) ? [{ frame: last, onLeft: undefined }] : [];
    if (pipe.waiting.length === 0) this.#carry(pipe, last);
    this.#end(end, reason);
  }

  #carry(pipe: Pipe, frame: Frame): void {
    const world = this.#network.world;
    const latencyMs = this.#network.latencyMs(pipe.from.process.name, pipe.to.process.name);
    pipe.readyMs = Math.max(pipe.readyMs, world.nowMs + latencyMs);
    world.after(pipe.readyMs - world.nowMs, pipe.to.process, frame.what, () => {
      if (!this.#over.has(pipe.to)) frame.receive();
      // Who has left answers with a reset.
      else if (!this.#over.has(pipe.from) && !this.#isCut(this.#from(pipe.to)))
        this.#carry(this.#from(pipe.to), this.#lastWord(this.#from(pipe.to), "the peer has left"));
    });
  }

  #lastWord({ to }: Pipe, reason: string): Frame {
    return { what: `${to.process.name} is left`, receive: () => this.#end(to, reason) };
  }

  #end(end: End, reason: string): void {
    if (this.#over.has(end)) return;
    this.#over.add(end);
    if (this.#over.size === 2) this.#network.closed(this);
    end.broken(reason);
  }

  #from(end: End): Pipe {
    return end === this.client ? this.#there : this.#back;
  }

  #isCut({ from, to }: Pipe): boolean {
    return this.#network.isCut(from.process.name, to.process.name);
  }
}

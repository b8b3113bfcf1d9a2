import type { Channel } from "@drover/rpc";
import { connectivityState, type Metadata, status } from "@grpc/grpc-js";
import { digestOf } from "./event-log.ts";
import { type End, type Frame, SimConnection, type Ways } from "./sim-connection.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimServer } from "./sim-server.ts";
import type { ServedCall } from "./sim-server-call.ts";

/** What a channel asks of its network. Undefined: nobody listens there. */
export type Reach = Ways & Readonly<{ serverAt(address: string): SimServer | undefined }>;

type Call = ReturnType<Channel["createCall"]>;
type Listener = Parameters<Call["start"]>[1];
type Status = Parameters<Listener["onReceiveStatus"]>[0];

/** A connection is tried for so long. */
const CONNECT_MS_MAX = 20_000;

const failure = (code: number, details: string, metadata: Metadata): Status => ({ code, details, metadata });

/** grpc-js's channel over a simulated network: its calls travel as bytes on one connection, which is made for the first of them, and again after each loss. */
export class SimChannel implements Channel {
  readonly #network: Reach;
  readonly #process: SimProcess;
  readonly #address: string;
  readonly #calls = new Set<SimCall>();
  #link: Link | undefined;
  #isClosed = false;

  constructor(network: Reach, process: SimProcess, address: string) {
    this.#network = network;
    this.#process = process;
    this.#address = address;
  }

  close(): void {
    this.#isClosed = true;
    this.#endUnused();
  }

  getTarget(): string {
    return this.#address;
  }

  getConnectivityState(): connectivityState {
    if (this.#link === undefined) return connectivityState.IDLE;
    return this.#link.isUp ? connectivityState.READY : connectivityState.CONNECTING;
  }

  watchConnectivityState(): void {
    throw new Error("nobody watches a simulated channel");
  }

  getChannelzRef(): ReturnType<Channel["getChannelzRef"]> {
    throw new Error("a simulated channel has no channelz");
  }

  createCall(method: string): Call {
    return new SimCall(method, {
      begin: (call) => this.#begin(call),
      end: (call) => {
        this.#calls.delete(call);
        if (this.#isClosed) this.#endUnused();
      },
    });
  }

  #begin(call: SimCall): void {
    this.#calls.add(call);
    this.#link ??= this.#connect();
    call.onto(this.#link);
  }

  #connect(): Link {
    const link = new Link(this.#network, this.#process, this.#address, (reason) => this.#broken(link, reason));
    return link;
  }

  #broken(link: Link, reason: string): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    for (const call of [...this.#calls]) call.lost(reason);
  }

  #endUnused(): void {
    if (this.#calls.size > 0) return;
    this.#link?.close();
    this.#link = undefined;
  }
}

/** One connection, from the first try on. */
class Link {
  isUp = false;
  server: SimServer | undefined;
  readonly #end: End;
  readonly #waiting: (() => void)[] = [];
  #connection: SimConnection | undefined;

  constructor(network: Reach, process: SimProcess, address: string, broken: (reason: string) => void) {
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

  close(): void {
    this.#connection?.breakAt(this.#end, "closed");
  }

  #up(): void {
    this.isUp = true;
    for (const then of this.#waiting.splice(0)) then();
  }
}

type CallOwner = Readonly<{ begin: (call: SimCall) => void; end: (call: SimCall) => void }>;

/** The caller's half of a call. */
class SimCall implements Call {
  readonly #method: string;
  readonly #owner: CallOwner;
  #listener: Listener | undefined;
  #metadata: Metadata | undefined;
  #link: Link | undefined;
  #served: ServedCall | undefined;
  #isOver = false;
  /** What the server has sent and nobody has read. */
  readonly #unread: Buffer[] = [];
  #readCount = 0;
  #status: Status | undefined;

  constructor(method: string, owner: CallOwner) {
    this.#method = method;
    this.#owner = owner;
  }

  start(metadata: Metadata, listener: Listener): void {
    this.#metadata = metadata.clone();
    this.#listener = listener;
    this.#owner.begin(this);
  }

  /** The connection that it is made on. */
  onto(link: Link): void {
    this.#link = link;
    const { connection, server } = link;
    const metadata = this.#metadata;
    if (connection === undefined || server === undefined || metadata === undefined) return;
    link.whenUp(() => {
      if (this.#isOver) return;
      const served = server.call(this.#method, metadata, connection, {
        metadata: (replied) => this.#unlessOver(() => this.#listener?.onReceiveMetadata(replied)),
        message: (bytes) => this.#unlessOver(() => this.#take(bytes)),
        status: (ended) => this.#unlessOver(() => this.#ended(ended)),
      });
      this.#served = served;
      link.send({ what: `${link.name} calls ${this.#method} of ${server.address}`, receive: () => served.begin() });
    });
  }

  /** The connection is gone. */
  lost(reason: string): void {
    if (this.#metadata !== undefined) this.#end(failure(status.UNAVAILABLE, reason, this.#metadata));
  }

  sendMessageWithContext(context: Parameters<Call["sendMessageWithContext"]>[0], message: Buffer): void {
    const bytes = Buffer.from(message);
    const left = () => context.callback?.();
    this.#link?.whenUp(() => {
      const served = this.#served;
      if (this.#isOver || served === undefined) return left();
      const what = `${this.#link?.name} > ${this.#method} ${bytes.length} ${digestOf(bytes)}`;
      this.#link?.send({ what, receive: () => served.message(bytes) }, left);
    });
  }

  startRead(): void {
    this.#readCount += 1;
    this.#deliver();
  }

  halfClose(): void {
    this.#link?.whenUp(() => {
      const served = this.#served;
      if (!this.#isOver && served !== undefined) this.#link?.send({ what: "", receive: () => served.halfClose() });
    });
  }

  cancelWithStatus(code: number, details: string): void {
    if (this.#isOver || this.#metadata === undefined) return;
    const served = this.#served;
    if (served !== undefined)
      this.#link?.send({ what: `${this.#link.name} cancels ${this.#method}`, receive: () => served.cancel() });
    this.#end(failure(code, details, this.#metadata));
  }

  getPeer(): string {
    return this.#link?.server?.address ?? "unknown";
  }

  getCallNumber(): number {
    return 0;
  }

  setCredentials(): void {
    // Nothing is asked of callers but what metadata says.
  }

  getAuthContext(): null {
    return null;
  }

  #unlessOver(tell: () => void): void {
    if (!this.#isOver) tell();
  }

  #take(bytes: Buffer): void {
    this.#unread.push(bytes);
    this.#deliver();
  }

  #ended(ended: Status): void {
    this.#status = ended;
    this.#deliver();
  }

  /** A message for each read; the status behind the last message. */
  #deliver(): void {
    while (this.#readCount > 0 && !this.#isOver) {
      const bytes = this.#unread.shift();
      if (bytes === undefined) break;
      this.#readCount -= 1;
      this.#listener?.onReceiveMessage(bytes);
    }
    if (this.#unread.length === 0 && this.#status !== undefined) this.#end(this.#status);
  }

  #end(ended: Status): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.end(this);
    process.nextTick(() => this.#listener?.onReceiveStatus(ended));
  }
}

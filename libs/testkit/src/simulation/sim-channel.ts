import type { Channel } from "@drover/rpc";
import { connectivityState, type Metadata, status } from "@grpc/grpc-js";
import { digestOf } from "./event-log.ts";
import { Link, type Reach } from "./sim-link.ts";
import type { SimProcess } from "./sim-process.ts";
import type { ServedCall } from "./sim-server-call.ts";

type Call = ReturnType<Channel["createCall"]>;
type Listener = Parameters<Call["start"]>[1];
type Status = Parameters<Listener["onReceiveStatus"]>[0];

/** Who has made a call that came twice hears of the first alone. */
const NOBODY = { metadata: () => undefined, message: () => undefined, status: () => undefined };

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

type CallOwner = Readonly<{ begin: (call: SimCall) => void; end: (call: SimCall) => void }>;

/** The caller's half of a call. */
class SimCall implements Call {
  readonly #method: string;
  readonly #owner: CallOwner;
  #listener: Listener | undefined;
  #metadata: Metadata | undefined;
  #link: Link | undefined;
  #served: ServedCall | undefined;
  /** What it has said. */
  #said: Buffer | undefined;
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
    this.#said = bytes;
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
      if (this.#isOver || served === undefined) return;
      this.#link?.send({ what: "", receive: () => served.halfClose() });
      this.#repeat();
    });
  }

  /** Where the network says so, calls once more what takes one message. */
  #repeat(): void {
    const [link, said, metadata] = [this.#link, this.#said, this.#metadata];
    const { server, connection } = link ?? {};
    if (link === undefined || server === undefined || connection === undefined) return;
    if (said === undefined || metadata === undefined || !server.isUnary(this.#method)) return;
    link.afterRepeat((process) => {
      const again = server.call(this.#method, metadata, connection, NOBODY);
      const receive = () => {
        again.begin();
        again.message(said);
        again.halfClose();
      };
      link.send({ what: `${process.name} calls ${this.#method} of ${server.address} once more`, receive });
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

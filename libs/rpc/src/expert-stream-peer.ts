import { create } from "@bufbuild/protobuf";
import { type Clock, DroverError, type Logger, type RowLinks, SaidReasons } from "@drover/core";
import { type ExpertPeer, gatherRows, type PeerCall, scatterRows } from "@drover/exchange";
import { ActivationType, type ExpertReply, type ExpertRequest, ExpertRequestSchema, ExpertWorker } from "@drover/proto";
import { FLOAT_BYTES, type Frame, framesOf, rowsOf } from "./expert-frames.ts";
import { EXPERT_REQUEST_LIMITS, FRAME_BYTES_MAX, SHARED_FRAME_BYTES_MAX, STREAM_LIMITS } from "./limits.ts";
import { grpcNetwork, type Network } from "./network.ts";
import { Payload } from "./payload.ts";
import { RequestStream } from "./request-stream.ts";
import { offerLink } from "./shared/offer-link.ts";
import { SharedCalls } from "./shared/shared-calls.ts";
import { bidiStreamOf } from "./stream-call.ts";

/** How rows may go: through memory to workers of the same host and over gRPC to others, or always over gRPC. */
export const EXCHANGES = ["auto", "grpc"] as const;
export type Exchange = (typeof EXCHANGES)[number];

/** How a frame's rows went: written and read by cards, or by processes, in memory that both have; or over a stream. */
export type Transport = "card_memory" | "shared_memory" | "grpc";

export type ExchangeMeter = {
  exchanged(workerId: string, seconds: number, bytesOut: number, bytesIn: number): void;
  /** Frames were sent to another worker; one where no number is given. */
  sent?(workerId: string, transport: Transport, count?: number): void;
};

const NO_LINKS = Promise.resolve(undefined);

/** A worker that holds experts, over one long-lived stream in both directions; on the same host rows go through memory beside it. */
export class ExpertStreamPeer implements ExpertPeer, Disposable {
  readonly workerId: string;
  readonly isHere = false;
  readonly address: string;
  readonly #clock: Clock;
  readonly #meter: ExchangeMeter;
  readonly #network: Network;
  readonly #links: Promise<RowLinks | undefined>;
  readonly #log: Logger;
  readonly #stream: RequestStream<ExpertRequest, ExpertReply>;
  readonly #saidReasons = new SaidReasons();
  /** There while the worker has taken a segment. */
  #shared: SharedCalls | undefined;
  /** There while the worker's device answers this one's by itself. */
  #link: Disposable | undefined;
  #callCount = 0;
  #retired = false;

  constructor(
    workerId: string,
    address: string,
    clock: Clock,
    logger: Logger,
    meter: ExchangeMeter,
    network: Network = grpcNetwork,
    links: Promise<RowLinks | undefined> = NO_LINKS,
  ) {
    this.workerId = workerId;
    this.address = address;
    this.#clock = clock;
    this.#meter = meter;
    this.#network = network;
    this.#links = links;
    const log = logger.child({ peer: workerId, address });
    this.#log = log;
    this.#stream = new RequestStream({
      addresses: [address],
      open: bidiStreamOf(ExpertWorker.method.exchange, network),
      // It computes for whoever asks: its headers are all that there is to wait for.
      onHeaders: () => this.#stream.up(),
      onMessage: () => undefined,
      onUp: (down) => {
        log.info("peer.connected");
        void this.#share(down);
        void this.#connect(down);
      },
      onDown: (reason) => {
        this.#unshare();
        this.#disconnect();
        log.warn("peer.lost", { reason });
      },
      onAway: (reason) => log.warn("peer.unreachable", { reason }),
      limits: STREAM_LIMITS.peer,
      requests: EXPERT_REQUEST_LIMITS,
      clock,
      chance: () => network.chance(),
    });
    this.#stream.start();
  }

  get connected(): boolean {
    return this.#stream.isUp;
  }

  async call(call: PeerCall): Promise<boolean> {
    const began = this.#clock.monotonic();
    const bytesMax = this.#shared === undefined ? FRAME_BYTES_MAX : SHARED_FRAME_BYTES_MAX;
    const frames = framesOf(call, call.width * FLOAT_BYTES, bytesMax);
    this.#callCount += 1;
    const answers = await Promise.all(frames.map((frame) => this.#send(call, frame)));
    this.#callCount -= 1;
    this.#endIfRetired();
    if (!answers.every(Boolean)) return false;
    const byteCount = call.rows.length * call.width * FLOAT_BYTES;
    this.#meter.exchanged(this.workerId, (this.#clock.monotonic() - began) / 1000, byteCount, byteCount);
    return true;
  }

  /** True once the frame's rows are answered. They go through memory where there is any, and room in it. */
  #send(call: PeerCall, frame: Frame): Promise<boolean> {
    const shared = this.#shared?.send(call, frame);
    this.#meter.sent?.(this.workerId, shared === undefined ? "grpc" : "shared_memory");
    return shared ?? this.#sendAllOver(call, frame);
  }

  /** The same over the stream, whose frames are smaller. */
  async #sendAllOver(call: PeerCall, { from, experts, counts }: Frame): Promise<boolean> {
    const parts = framesOf({ experts, counts }, call.width * FLOAT_BYTES);
    const answers = parts.map((part) => this.#sendOver(call, { ...part, from: from + part.from, to: from + part.to }));
    return (await Promise.all(answers)).every(Boolean);
  }

  /** One frame over the stream. Rows are copied here from the step's rows, and there to them, unless nobody waits for them any more. */
  async #sendOver({ layer, rows, z_aD, y_aD, width, isOver, trace }: PeerCall, frame: Frame): Promise<boolean> {
    const named = rows.subarray(frame.from, frame.to);
    const byteCount = named.length * width * FLOAT_BYTES;
    const reply = await this.#stream.call(byteCount, (correlationId) => {
      const payload = Payload.allocate(byteCount);
      gatherRows(z_aD, named, width, rowsOf(payload));
      return create(ExpertRequestSchema, {
        correlationId,
        layer,
        activationType: ActivationType.F32,
        experts: frame.experts,
        rowCounts: frame.counts,
        // A call's first frame stands for it: its others are the same, and may be many.
        ...(frame.from === 0 && trace),
        rows: payload,
      });
    });
    if (reply?.errorCode !== "" || reply.rows.byteLength !== byteCount) return false;
    if (isOver?.()) return true;
    scatterRows(rowsOf(reply.rows), named, width, y_aD);
    return true;
  }

  /** Has memory together with the worker, if it is on this host, until the stream is down. */
  async #share(down: AbortSignal): Promise<void> {
    const { memory } = this.#network;
    if (memory === undefined) return;
    try {
      // Its end is that of the worker: what the stream may learn much later.
      const onGone = () => this.#gone(shared);
      const shared = await SharedCalls.offer(
        await memory(),
        this.#network.dial(this.address),
        this.#clock,
        onGone,
        down,
      );
      this.#shared = shared;
      this.#log.info("peer.shares_memory");
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      if (!down.aborted && this.#saidReasons.isNew(error.sentence))
        this.#log.debug("peer.shares_no_memory", { reason: error.sentence });
    }
  }

  /** Has the devices of both sides speak with each other, where they can. */
  async #connect(down: AbortSignal): Promise<void> {
    const { memory } = this.#network;
    const links = await this.#links;
    if (memory === undefined || links === undefined || down.aborted) return;
    try {
      const client = this.#network.dial(this.address);
      const onGone = () => this.#unlinked(link);
      const link = await offerLink(await memory(), links, this.workerId, client, onGone, this.#clock, down);
      if (down.aborted) {
        link[Symbol.dispose]();
        return;
      }
      this.#link = link;
      this.#log.info("peer.shares_card_memory");
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      if (!down.aborted && this.#saidReasons.isNew(error.sentence))
        this.#log.info("peer.shares_no_card_memory", { reason: error.sentence });
    }
  }

  #disconnect(): void {
    const link = this.#link;
    this.#link = undefined;
    link?.[Symbol.dispose]();
  }

  #unlinked(link: Disposable): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    if (this.#retired) return;
    this.#stream.renew("the worker's device does not answer this one's any more");
  }

  /** What was unanswered in memory is given up. */
  #unshare(): void {
    const shared = this.#shared;
    this.#shared = undefined;
    shared?.[Symbol.dispose]();
  }

  #gone(shared: SharedCalls): void {
    if (this.#shared !== shared) return;
    this.#shared = undefined;
    if (this.#retired) return;
    this.#stream.renew("the worker has left the memory that it had together with this process");
  }

  /** No more calls are made; the connection ends once those under way are answered, or too late to be. */
  retire(): void {
    this.#retired = true;
    this.#disconnect();
    this.#endIfRetired();
  }

  #endIfRetired(): void {
    if (this.#retired && this.#callCount === 0) this.#stream.retire();
  }

  [Symbol.dispose](): void {
    this.#retired = true;
    this.#unshare();
    this.#disconnect();
    this.#stream[Symbol.dispose]();
  }
}

import { create } from "@bufbuild/protobuf";
import type { Clock, Logger } from "@drover/core";
import { type ExpertPeer, gatherRows, type PeerCall, scatterRows } from "@drover/exchange";
import { ActivationType, type ExpertReply, type ExpertRequest, ExpertRequestSchema, ExpertWorker } from "@drover/proto";
import { FLOAT_BYTES, type Frame, framesOf, rowsOf } from "./expert-frames.ts";
import { EXPERT_REQUEST_LIMITS, STREAM_LIMITS } from "./limits.ts";
import { grpcNetwork, type Network } from "./network.ts";
import { Payload } from "./payload.ts";
import { RequestStream } from "./request-stream.ts";
import { bidiStreamOf } from "./stream-call.ts";

export type ExchangeMeter = { exchanged(workerId: string, seconds: number, bytesOut: number, bytesIn: number): void };

/** A worker that holds experts, over one long-lived stream in both directions. */
export class ExpertStreamPeer implements ExpertPeer, Disposable {
  readonly workerId: string;
  readonly isHere = false;
  readonly address: string;
  readonly #clock: Clock;
  readonly #meter: ExchangeMeter;
  readonly #stream: RequestStream<ExpertRequest, ExpertReply>;

  constructor(
    workerId: string,
    address: string,
    clock: Clock,
    logger: Logger,
    meter: ExchangeMeter,
    network: Network = grpcNetwork,
  ) {
    this.workerId = workerId;
    this.address = address;
    this.#clock = clock;
    this.#meter = meter;
    const log = logger.child({ peer: workerId, address });
    this.#stream = new RequestStream({
      addresses: [address],
      open: bidiStreamOf(ExpertWorker.method.exchange, network),
      // It computes for whoever asks: its headers are all that there is to wait for.
      onHeaders: () => this.#stream.up(),
      onMessage: () => undefined,
      onUp: () => log.info("peer.connected"),
      onDown: (reason) => log.warn("peer.lost", { reason }),
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
    const frames = framesOf(call, call.width * FLOAT_BYTES);
    const answers = await Promise.all(frames.map((frame) => this.#send(call, frame)));
    if (!answers.every(Boolean)) return false;
    const byteCount = call.rows.length * call.width * FLOAT_BYTES;
    this.#meter.exchanged(this.workerId, (this.#clock.monotonic() - began) / 1000, byteCount, byteCount);
    return true;
  }

  /** True once the frame's rows are answered. They are copied here from the step's rows, and there to them, unless nobody waits for them any more. */
  async #send({ layer, rows, z_aD, y_aD, width, isOver, trace }: PeerCall, frame: Frame): Promise<boolean> {
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

  /** No more calls are made; the connection ends once those under way are answered, or too late to be. */
  retire(): void {
    this.#stream.retire();
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
  }
}

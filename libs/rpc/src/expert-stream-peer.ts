import { create } from "@bufbuild/protobuf";
import type { Clock, Logger } from "@drover/core";
import type { ExpertPeer, PeerCall } from "@drover/exchange";
import { ActivationType, type ExpertReply, type ExpertRequest, ExpertRequestSchema, ExpertWorker } from "@drover/proto";
import { bytesOf, type Frame, framesOf, rowsOf } from "./expert-frames.ts";
import { EXPERT_REQUEST_LIMITS, STREAM_LIMITS } from "./limits.ts";
import { RequestStream } from "./request-stream.ts";
import { bidiStreamOf } from "./stream-call.ts";

export type ExchangeMeter = { exchanged(workerId: string, seconds: number, bytesOut: number, bytesIn: number): void };

/** A worker that holds experts, over one long-lived stream in both directions. */
export class ExpertStreamPeer implements ExpertPeer, Disposable {
  readonly workerId: string;
  readonly address: string;
  readonly #clock: Clock;
  readonly #meter: ExchangeMeter;
  readonly #stream: RequestStream<ExpertRequest, ExpertReply>;

  constructor(workerId: string, address: string, clock: Clock, logger: Logger, meter: ExchangeMeter) {
    this.workerId = workerId;
    this.address = address;
    this.#clock = clock;
    this.#meter = meter;
    const log = logger.child({ peer: workerId, address });
    this.#stream = new RequestStream({
      addresses: [address],
      open: bidiStreamOf(ExpertWorker.method.exchange),
      // It computes for whoever asks: its headers are all that there is to wait for.
      onHeaders: () => this.#stream.up(),
      onMessage: () => undefined,
      onUp: () => log.info("peer.connected"),
      onDown: (reason) => log.warn("peer.lost", { reason }),
      onAway: (reason) => log.warn("peer.unreachable", { reason }),
      limits: STREAM_LIMITS.peer,
      requests: EXPERT_REQUEST_LIMITS,
      clock,
    });
    this.#stream.start();
  }

  get connected(): boolean {
    return this.#stream.isUp;
  }

  async call(call: PeerCall): Promise<Float32Array | undefined> {
    const began = this.#clock.monotonic();
    const rowCount = call.counts.reduce((sum, count) => sum + count, 0);
    const width = call.z.length / rowCount;
    const y = new Float32Array(call.z.length);
    const frames = framesOf(call, width * 4);
    const answers = await Promise.all(frames.map((frame) => this.#send(call, frame, width, y)));
    if (!answers.every(Boolean)) return undefined;
    this.#meter.exchanged(this.workerId, (this.#clock.monotonic() - began) / 1000, call.z.byteLength, y.byteLength);
    return y;
  }

  /** True once the frame's rows are in y. */
  async #send(call: PeerCall, frame: Frame, width: number, y: Float32Array): Promise<boolean> {
    const rows = bytesOf(call.z.subarray(frame.from * width, frame.to * width));
    const reply = await this.#stream.call(rows.byteLength, (correlationId) =>
      create(ExpertRequestSchema, {
        correlationId,
        layer: call.layer,
        activationType: ActivationType.F32,
        experts: frame.experts,
        rowCounts: frame.counts,
        deadlineMs: EXPERT_REQUEST_LIMITS.answerMsMax,
        mapEpoch: call.mapEpoch,
        // A call's first frame stands for it: its others are the same, and may be many.
        ...(frame.from === 0 && call.trace),
        rows,
      }),
    );
    if (reply?.errorCode !== "" || reply.rows.byteLength !== rows.byteLength) return false;
    y.set(rowsOf(reply.rows), frame.from * width);
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

import { create } from "@bufbuild/protobuf";
import { type Clock, type Logger, SaidReasons } from "@drover/core";
import { type ExpertPeer, type PeerCall, PendingCalls } from "@drover/exchange";
import { ActivationType, type ExpertReply, type ExpertRequest, ExpertRequestSchema, ExpertWorker } from "@drover/proto";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { RpcClient } from "./client.ts";
import { bytesOf, type Frame, framesOf, rowsOf } from "./expert-frames.ts";

/** Credit of one stream. At 5,120 f32 values a row, 64 MiB are 3,200 rows: several steps of prefill. */
const EXPERT_CREDIT = { callCountMax: 1024, byteCountMax: 64 * 2 ** 20 } as const;

/** How long a frame may take; late rows are parked and tried again. */
const EXPERT_DEADLINE_MS = 5_000;
const SWEEP_MS = 100;
const RECONNECT_MS = 100;

export type ExchangeMeter = { exchanged(workerId: string, seconds: number, bytesOut: number, bytesIn: number): void };

/** A worker that holds experts, over one long-lived bidirectional stream. It reconnects by itself until it is disposed. */
export class ExpertStreamPeer implements ExpertPeer, Disposable {
  readonly workerId: string;
  readonly address: string;
  readonly #client: RpcClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #meter: ExchangeMeter;
  readonly #calls = new PendingCalls(EXPERT_CREDIT);
  readonly #sweeper: NodeJS.Timeout;
  #stream: ClientDuplexStream<ExpertRequest, ExpertReply> | undefined;
  #reconnect: NodeJS.Timeout | undefined;
  #disposed = false;
  #retired = false;
  readonly #saidReasons = new SaidReasons();

  constructor(workerId: string, address: string, clock: Clock, logger: Logger, meter: ExchangeMeter) {
    this.workerId = workerId;
    this.address = address;
    this.#client = new RpcClient(address);
    this.#clock = clock;
    this.#logger = logger.child({ peer: workerId, address });
    this.#meter = meter;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeper.unref();
    this.#open();
  }

  get connected(): boolean {
    return this.#stream !== undefined;
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
  #send(call: PeerCall, frame: Frame, width: number, y: Float32Array): Promise<boolean> {
    return new Promise((resolve) => {
      const stream = this.#stream;
      const rows = call.z.subarray(frame.from * width, frame.to * width);
      if (stream === undefined) {
        resolve(false);
        return;
      }
      const id = this.#calls.open(rows.byteLength, this.#clock.monotonic() + EXPERT_DEADLINE_MS, (bytes) => {
        if (bytes?.byteLength === rows.byteLength) y.set(rowsOf(bytes), frame.from * width);
        resolve(bytes?.byteLength === rows.byteLength);
      });
      if (id === undefined) {
        resolve(false);
        return;
      }
      stream.write(
        create(ExpertRequestSchema, {
          correlationId: id,
          layer: call.layer,
          activationType: ActivationType.F32,
          experts: frame.experts,
          rowCounts: frame.counts,
          deadlineMs: EXPERT_DEADLINE_MS,
          mapEpoch: call.mapEpoch,
          // A call's first frame stands for it: its others are the same, and may be many.
          ...(frame.from === 0 && call.trace),
          rows: bytesOf(rows),
        }),
      );
    });
  }

  /** No more calls are made; the connection ends once those under way are answered, or too late to be. */
  retire(): void {
    this.#retired = true;
    this.#sweep();
  }

  #sweep(): void {
    this.#calls.expire(this.#clock.monotonic());
    if (this.#retired && this.#calls.callCount === 0) this[Symbol.dispose]();
  }

  #open(): void {
    if (this.#disposed) return;
    const stream = this.#client.bidiStream(ExpertWorker.method.exchange);
    // The stream counts as connected once the server has answered with its headers.
    stream.on("metadata", () => {
      this.#stream = stream;
      this.#saidReasons.clear();
      this.#logger.info("peer.connected");
    });
    stream.on("data", (reply: ExpertReply) => {
      this.#calls.settle(reply.correlationId, reply.errorCode === "" ? reply.rows : undefined);
    });
    let isOver = false;
    const lost = (reason: string) => {
      if (isOver) return;
      isOver = true;
      const wasConnected = this.#stream === stream;
      if (wasConnected) {
        this.#stream = undefined;
        this.#calls.failAll();
        this.#logger.warn("peer.lost", { reason });
      } else if (!this.#disposed && this.#saidReasons.isNew(reason)) this.#logger.warn("peer.unreachable", { reason });
      if (!this.#disposed && this.#reconnect === undefined) {
        this.#reconnect = setTimeout(() => {
          this.#reconnect = undefined;
          this.#open();
        }, RECONNECT_MS);
      }
    };
    stream.on("error", (error) => lost(error.message));
    stream.on("end", () => lost("ended"));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearInterval(this.#sweeper);
    clearTimeout(this.#reconnect);
    this.#calls.failAll();
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#client[Symbol.dispose]();
  }
}

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type AttendCall,
  type AttendedPart,
  type Clock,
  type ContextHolder,
  type Logger,
  SaidReasons,
  type SegmentRows,
  type TraceContext,
} from "@drover/core";
import { PendingCalls } from "@drover/exchange";
import { type ContextReply, type ContextRequest, ContextRequestSchema, ContextWorker } from "@drover/proto";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { RpcClient } from "./client.ts";
import { type AttendFrame, attendFrames, putFrames } from "./context-frames.ts";
import { bytesOf, rowsOf } from "./expert-frames.ts";

/** Credit of one stream: several steps of prefill, and the segments that finish meanwhile. */
const CONTEXT_CREDIT = { callCountMax: 4096, byteCountMax: 256 * 2 ** 20 } as const;

/** A frame over a holder's part of a million tokens takes seconds; rows without an answer are parked and tried again. */
const CONTEXT_DEADLINE_MS = 30_000;
/** Frames of a segment that are on their way at once: queries go in between. */
const PUT_WINDOW = 4;
const SWEEP_MS = 100;
const RECONNECT_MS = 100;

type RequestInit = NonNullable<MessageInitShape<typeof ContextRequestSchema>["request"]>;

/** A worker that holds segments, over one long-lived stream in both directions. It reconnects by itself, to a holder that has nothing of ours any more. */
export class ContextStreamHolder implements ContextHolder, Disposable {
  readonly workerId: string;
  life = 0;
  /** It is about to end: what it holds can be read, and it is given nothing new. */
  draining = false;
  bytesMax = 0;
  readonly #client: RpcClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #calls = new PendingCalls<ContextReply>(CONTEXT_CREDIT);
  readonly #sweeper: NodeJS.Timeout;
  #stream: ClientDuplexStream<ContextRequest, ContextReply> | undefined;
  #bytesFree = 0;
  /** Whether it has said how much room it has. */
  #known = false;
  #reconnect: NodeJS.Timeout | undefined;
  #disposed = false;
  readonly #saidReasons = new SaidReasons();

  constructor(workerId: string, address: string, clock: Clock, logger: Logger) {
    this.workerId = workerId;
    this.#client = new RpcClient(address);
    this.#clock = clock;
    this.#logger = logger.child({ peer: workerId, address });
    this.#sweeper = setInterval(() => this.#calls.expire(this.#clock.monotonic()), SWEEP_MS);
    this.#sweeper.unref();
    this.#open();
  }

  get bytesFree(): number {
    return this.draining ? 0 : this.#bytesFree;
  }

  get connected(): boolean {
    return this.#stream !== undefined && this.#known;
  }

  async put(rows: SegmentRows): Promise<boolean> {
    const { life } = this;
    const frames = putFrames(rows);
    let taken = this.connected;
    const lane = async () => {
      for (const value of frames) {
        const reply = taken ? await this.#send({ case: "put", value }, value.rows.length) : undefined;
        if (reply?.errorCode !== "") taken = false;
        if (!taken) return;
      }
    };
    await Promise.all(Array.from({ length: PUT_WINDOW }, lane));
    return taken && this.life === life;
  }

  async attend(call: AttendCall): Promise<AttendedPart | undefined> {
    const frames = attendFrames(call);
    const rowCount = frames.at(-1)?.to ?? 0;
    const attended_aH = new Float32Array(call.q_aH.length);
    const width = call.q_aH.length / rowCount;
    let lse_aN = new Float32Array(0);
    const take = ({ from, to }: AttendFrame, reply: ContextReply | undefined): boolean => {
      if (reply?.errorCode !== "" || reply.attended.length !== (to - from) * width * 4) return false;
      const lse = rowsOf(reply.lse);
      const heads = lse.length / (to - from);
      if (lse_aN.length === 0) lse_aN = new Float32Array(rowCount * heads);
      attended_aH.set(rowsOf(reply.attended), from * width);
      lse_aN.set(lse, from * heads);
      return true;
    };
    const answers = await Promise.all(
      frames.map(async (frame) => {
        const rows = bytesOf(call.q_aH.subarray(frame.from * width, frame.to * width));
        const value = { layer: call.layer, queries: [...frame.queries], rows };
        const reply = await this.#send(
          { case: "attend", value },
          rows.length,
          frame.from === 0 ? call.trace : undefined,
        );
        // It has lost what it held, though its stream stands: a new one begins a new life.
        if (reply?.errorCode === "not_found") this.#stream?.cancel();
        return take(frame, reply);
      }),
    );
    return answers.every(Boolean) ? { attended_aH, lse_aN } : undefined;
  }

  drop(sequenceId: string): void {
    void this.#send({ case: "drop", value: { sequenceId } }, 0);
  }

  #send(request: RequestInit, byteCount: number, trace?: TraceContext): Promise<ContextReply | undefined> {
    return new Promise((resolve) => {
      const stream = this.#stream;
      const deadline = this.#clock.monotonic() + CONTEXT_DEADLINE_MS;
      const correlationId = stream && this.#calls.open(byteCount, deadline, resolve);
      if (stream === undefined || correlationId === undefined) resolve(undefined);
      else stream.write(create(ContextRequestSchema, { correlationId, request, ...trace }));
    });
  }

  #open(): void {
    if (this.#disposed) return;
    const stream = this.#client.bidiStream(ContextWorker.method.hold);
    stream.on("metadata", () => {
      this.#stream = stream;
      this.#saidReasons.clear();
      void this.#send({ case: "probe", value: {} }, 0);
    });
    stream.on("data", (reply: ContextReply) => {
      this.#bytesFree = Number(reply.kvBytesFree);
      this.bytesMax = Number(reply.kvBytesMax);
      if (!this.#known) this.#logger.info("peer.connected", { kvBytesFree: this.#bytesFree });
      this.#known = true;
      this.#calls.settle(reply.correlationId, reply);
    });
    let ended = false;
    const lost = (reason: string) => {
      if (ended) return;
      ended = true;
      if (this.#stream === stream) {
        this.#stream = undefined;
        this.#known = false;
        this.life += 1;
        this.#calls.failAll();
        this.#logger.warn("peer.lost", { reason });
      } else if (!this.#disposed && this.#saidReasons.isNew(reason)) this.#logger.warn("peer.unreachable", { reason });
      if (!this.#disposed) this.#reconnect = setTimeout(() => this.#open(), RECONNECT_MS);
    };
    stream.on("error", (error) => lost(error.message));
    stream.on("end", () => lost("ended"));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.life += 1;
    clearInterval(this.#sweeper);
    clearTimeout(this.#reconnect);
    this.#calls.failAll();
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#client[Symbol.dispose]();
  }
}

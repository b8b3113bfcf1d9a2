import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type AttendCall,
  type AttendedPart,
  at,
  type Clock,
  type ContextHolder,
  DroverError,
  type Logger,
  type SegmentKeeping,
  type SegmentName,
  type SegmentRows,
  type SegmentTransfer,
  type TraceContext,
  withTimeout,
} from "@drover/core";
import { AnswerPace } from "@drover/exchange";
import {
  type ContextReply,
  type ContextRequest,
  ContextRequestSchema,
  ContextWorker,
  type PutRows,
} from "@drover/proto";
import { type AttendFrame, attendFrames, prefixBytes, putFrames } from "./context-frames.ts";
import { bytesOf, rowsOf } from "./expert-frames.ts";
import { CONTEXT_REQUEST_LIMITS, PUT_FRAMES_AT_ONCE, SEGMENT_COPY_LIMIT, STREAM_LIMITS } from "./limits.ts";
import { grpcNetwork, type Network } from "./network.ts";
import { RequestStream } from "./request-stream.ts";
import { fetchSegment, nameOf } from "./segment-frames.ts";
import { bidiStreamOf } from "./stream-call.ts";

type RequestInit = NonNullable<MessageInitShape<typeof ContextRequestSchema>["request"]>;

/** Correlation ids of requests begin at 1: the reply to the greeting answers none of them. */
const GREETING = create(ContextRequestSchema, { correlationId: 0n, request: { case: "probe", value: {} } });

const GIVEN_UP = new DroverError("cancelled", "the segment was dropped");

/** A worker that holds segments, over one long-lived stream in both directions. One that comes back has nothing of ours any more. */
export class ContextStreamHolder implements ContextHolder, Disposable {
  readonly workerId: string;
  life = 0;
  draining = false;
  bytesMax = 0;
  readonly #stream: RequestStream<ContextRequest, ContextReply>;
  readonly #transfer: SegmentTransfer;
  readonly #clock: Clock;
  readonly #network: Network;
  /** Of its answers to queries, each in milliseconds for rows times segments. */
  readonly #pace: AnswerPace;
  /** Copies from other holders that are under way. */
  readonly #copies = new Map<string, AbortController>();
  /** Segments that it kept and has let go of. */
  readonly #gone: SegmentName[] = [];
  #bytesFree = 0;
  #bytesKept = 0;
  #moves = false;
  #keeps = false;

  constructor(workerId: string, address: string, clock: Clock, logger: Logger, network: Network = grpcNetwork) {
    this.workerId = workerId;
    this.#clock = clock;
    this.#network = network;
    this.#pace = new AnswerPace(clock, workerId);
    this.#transfer = {
      address,
      copy: (sequenceId, segment, from) => this.#copy({ sequenceId, segment }, from),
      drop: (sequenceId, segment) => this.#dropSegment({ sequenceId, segment }),
    };
    const log = logger.child({ peer: workerId, address });
    this.#stream = new RequestStream({
      addresses: [address],
      open: bidiStreamOf(ContextWorker.method.hold, network),
      greeting: () => [GREETING],
      onMessage: (reply) => {
        this.#bytesFree = Number(reply.kvBytesFree);
        this.bytesMax = Number(reply.kvBytesMax);
        this.#bytesKept = Number(reply.kvBytesKept);
        this.#moves = reply.moves;
        this.#keeps = reply.keeps;
        for (const { sequenceId, segment } of reply.gone) this.#gone.push({ sequenceId, segment });
        this.#stream.up();
      },
      onUp: () => log.info("peer.connected", { kvBytesFree: this.#bytesFree }),
      onDown: (reason) => {
        this.life += 1;
        this.#gone.length = 0;
        log.warn("peer.lost", { reason });
      },
      onAway: (reason) => log.warn("peer.unreachable", { reason }),
      limits: STREAM_LIMITS.peer,
      requests: CONTEXT_REQUEST_LIMITS,
      clock,
      chance: () => network.chance(),
    });
    this.#stream.start();
  }

  get bytesFree(): number {
    return this.draining ? 0 : this.#bytesFree;
  }

  get transfer(): SegmentTransfer | undefined {
    return this.#moves ? this.#transfer : undefined;
  }

  get keeping(): SegmentKeeping | undefined {
    if (!this.#keeps) return undefined;
    return {
      bytesKept: this.#bytesKept,
      keep: (sequenceId, segment) => void this.#send({ case: "keep", value: { sequenceId, segments: [segment] } }, 0),
      use: async (sequenceId, segments) => {
        const reply = await this.#send({ case: "use", value: { sequenceId, segments: [...segments] } }, 0);
        return reply?.held ?? [];
      },
      take: async (sequenceId, wanted) => {
        const segments = wanted.map(({ segment }) => segment);
        const prefixes = wanted.map(({ prefix }) => prefixBytes(prefix));
        const reply = await this.#send({ case: "take", value: { sequenceId, segments, prefixes } }, 0);
        return { held: reply?.held ?? [], later: reply?.later ?? false };
      },
      takeGone: () => this.#gone.splice(0),
    };
  }

  /** It has said how much room it has. */
  get connected(): boolean {
    return this.#stream.isUp;
  }

  put(rows: SegmentRows): Promise<boolean> {
    return this.#put(putFrames(rows));
  }

  /** A few frames at once, in their order: of what is still to be read no more is held. */
  async #put(frames: Iterable<PutRows> | AsyncIterable<PutRows>): Promise<boolean> {
    const { life } = this;
    let taken = this.connected;
    const lane = async () => {
      for await (const value of frames) {
        const reply = taken ? await this.#send({ case: "put", value }, value.rows.length) : undefined;
        if (reply?.errorCode !== "") taken = false;
        if (!taken) return;
      }
    };
    await Promise.all(Array.from({ length: PUT_FRAMES_AT_ONCE }, lane));
    return taken && this.life === life;
  }

  /** One that is silent is not waited for longer than by its own times, since all of a step waits, and not asked again before it has answered. */
  async attend(call: AttendCall): Promise<AttendedPart | undefined> {
    if (this.#pace.isWithheld) return undefined;
    const size = call.queries.reduce((sum, { rowCount, segmentCount }) => sum + rowCount * segmentCount, 0);
    return this.#pace.within(size, this.#attend(call));
  }

  async #attend(call: AttendCall): Promise<AttendedPart | undefined> {
    const frames = attendFrames(call);
    const rowCount = at(frames, frames.length - 1).to;
    const attended_aQ = new Float32Array(call.q_aQ.length);
    const width = call.q_aQ.length / rowCount;
    let lse_aH = new Float32Array(0);
    const take = ({ from, to }: AttendFrame, reply: ContextReply | undefined): boolean => {
      if (reply?.errorCode !== "" || reply.attended.length !== (to - from) * width * 4) return false;
      const lse = rowsOf(reply.lse);
      const heads = lse.length / (to - from);
      if (lse_aH.length === 0) lse_aH = new Float32Array(rowCount * heads);
      attended_aQ.set(rowsOf(reply.attended), from * width);
      lse_aH.set(lse, from * heads);
      return true;
    };
    const answers = await Promise.all(
      frames.map(async (frame) => {
        const rows = bytesOf(call.q_aQ.subarray(frame.from * width, frame.to * width));
        const queries = frame.queries.map((query) => ({ ...query, segments: [...query.segments] }));
        const value = { layer: call.layer, queries, rows };
        const reply = await this.#send(
          { case: "attend", value },
          rows.length,
          frame.from === 0 ? call.trace : undefined,
        );
        // It has lost what it held, though its stream stands: a new one begins a new life.
        if (reply?.errorCode === "not_found") this.#stream.renew("it has lost what it held");
        return take(frame, reply);
      }),
    );
    return answers.every(Boolean) ? { attended_aQ, lse_aH } : undefined;
  }

  drop(sequenceId: string): void {
    void this.#send({ case: "drop", value: { sequenceId } }, 0);
  }

  /** Frame by frame through this process, which has reached both. */
  async #copy(name: SegmentName, from: string): Promise<boolean> {
    const { life } = this;
    const key = nameOf(name);
    this.#copies.get(key)?.abort(GIVEN_UP);
    const copying = new AbortController();
    this.#copies.set(key, copying);
    try {
      const isTaken = await withTimeout(SEGMENT_COPY_LIMIT, this.#clock, copying.signal, (signal) =>
        this.#put(fetchSegment(this.#network, from, name, signal)),
      );
      return isTaken && this.life === life;
    } catch (error) {
      if (error instanceof DroverError) return false;
      throw error;
    } finally {
      if (this.#copies.get(key) === copying) this.#copies.delete(key);
    }
  }

  #dropSegment(name: SegmentName): void {
    this.#copies.get(nameOf(name))?.abort(GIVEN_UP);
    void this.#send({ case: "dropSegment", value: name }, 0);
  }

  #send(request: RequestInit, byteCount: number, trace?: TraceContext): Promise<ContextReply | undefined> {
    return this.#stream.call(byteCount, (correlationId) =>
      create(ContextRequestSchema, { correlationId, request, ...trace }),
    );
  }

  [Symbol.dispose](): void {
    this.life += 1;
    for (const copying of this.#copies.values()) copying.abort(GIVEN_UP);
    this.#stream[Symbol.dispose]();
  }
}
